"""The pages about the API: one's own tokens, and what programs can ask for."""

import functools
import json
from operator import itemgetter

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView, View

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.api.document import FILE
from mailadmin.api.forms import TokenForm
from mailadmin.api.models import Token
from mailadmin.api.tokens import delete_token
from mailadmin.changes.perform import perform


class Tokens(RoleRequired, FormView):
    """One's own tokens, and a form for another. Its text is shown once, in the answer."""

    roles = Role.ADMINS
    template_name = "account/tokens.html"
    form_class = TokenForm
    success_url = reverse_lazy("tokens")

    def get_form_kwargs(self):
        return super().get_form_kwargs() | {"actor": self.actor, "owner": self.request.user}

    def get_context_data(self, **kwargs):
        own = Token.objects.filter(owner=self.request.user.pk).order_by("-pk")
        return super().get_context_data(tokens=own, **kwargs)

    def form_valid(self, form):
        text = form.save()
        if text is None:
            return self.form_invalid(form)
        blank = TokenForm(actor=self.actor, owner=self.request.user)
        return self.render_to_response(self.get_context_data(form=blank, new=text))

    def form_invalid(self, form):
        return self.render_to_response(self.get_context_data(form=form), status=422)


class DeleteToken(RoleRequired, View):
    roles = Role.ADMINS
    http_method_names = ["post"]

    def post(self, request, pk):
        token = get_object_or_404(Token.objects.visible_to(request.user), pk=pk)
        perform(self.actor, delete_token, token.pk)
        messages.success(request, _("The token %(name)s opens nothing any more.") % {"name": token})
        return redirect("tokens")


class Manual(RoleRequired, TemplateView):
    """The API's document, for people."""

    roles = Role.ADMINS
    template_name = "account/api.html"

    def get_context_data(self, **kwargs):
        return super().get_context_data(chapters=chapters(), **kwargs)


@functools.cache
def chapters():
    """[(table, its operations)], each operation with its fields, told in plain values."""
    document = json.loads(FILE.read_text())
    found = {}
    for place, methods in document["paths"].items():
        for method, operation in methods.items():
            told = told_operation(document, method.upper(), place, operation)
            found.setdefault(operation["tags"][0], []).append(told)
    return list(found.items())


def told_operation(document, method, place, operation):
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    examples = [example["value"] for example in content.get("examples", {}).values()]
    return {
        "method": method,
        "place": place,
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": operation.get("parameters", []),
        "fields": fields_in(document, content.get("schema", {})),
        "example": json.dumps(examples[0], indent=2, ensure_ascii=False) if examples else "",
        "statuses": sorted(operation["responses"].items()),
    }


def fields_in(document, schema):
    """The fields of a body: of the object, or of each object of a list."""
    if "$ref" in schema:
        return fields_in(document, document["components"]["schemas"][schema["$ref"].split("/")[-1]])
    if "oneOf" in schema:
        return fields_in(document, schema["oneOf"][0])
    if "items" in schema:
        return fields_in(document, schema["items"])
    required = schema.get("required", [])
    return sorted(
        (
            {"name": name, "required": name in required} | told_type(field)
            for name, field in schema.get("properties", {}).items()
        ),
        key=itemgetter("required"),
        reverse=True,
    )


def told_type(field):
    kind = field.get("type", "")
    return {
        "type": f"[{field['items']['type']}]" if kind == "array" else kind,
        "description": field.get("description", ""),
    }
