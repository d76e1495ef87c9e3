"""The pages about the API: one's own tokens, and the reference of what programs can do."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import FormView, TemplateView, View

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import ProofToSaveMixin
from mailadmin.api.forms import TokenForm, get_table_choices
from mailadmin.api.models import Token
from mailadmin.api.problems import PROBLEM_TYPE
from mailadmin.api.reference import group_operations_by_tag
from mailadmin.api.tokens import TOKEN_VERBS, delete_token
from mailadmin.changes.perform import perform


class TokenListView(ProofToSaveMixin, FormView):
    """One's own tokens, and a form for a new one, whose text only the response shows."""

    roles = Role.ADMINS
    template_name = "account/tokens.html"
    form_class = TokenForm
    success_url = reverse_lazy("tokens")

    def get_form_kwargs(self) -> dict:
        return super().get_form_kwargs() | {"actor": self.actor, "owner": self.request.user}

    def get_context_data(self, **kwargs: Any) -> dict:
        own = Token.objects.filter(owner=self.request.user.pk).order_by("-pk")
        labels = dict(get_table_choices(self.request.user))
        return super().get_context_data(
            tokens=own,
            table_labels=labels,
            permission_labels=TOKEN_VERBS,
            **kwargs,
        )

    def form_valid(self, form: TokenForm) -> HttpResponse:
        text = form.save()
        if text is None:
            return self.form_invalid(form)
        blank = TokenForm(actor=self.actor, owner=self.request.user)
        return self.render_to_response(self.get_context_data(form=blank, new=text))

    def form_invalid(self, form: TokenForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class TokenDeleteView(RoleRequiredMixin, View):
    """Delete a token, so that it is refused from then on."""

    roles = Role.ADMINS
    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_object_or_404(Token.objects.visible_to(request.user), pk=pk)
        perform(self.actor, delete_token, token.pk)
        messages.success(request, _("The token %(name)s was revoked.") % {"name": token})
        return redirect("tokens")


class ApiReferenceView(RoleRequiredMixin, TemplateView):
    """The OpenAPI document as a page."""

    roles = Role.ADMINS
    template_name = "account/api.html"

    def get_context_data(self, **kwargs: Any) -> dict:
        return super().get_context_data(
            chapters=group_operations_by_tag(self.principal.role), **kwargs
        )


@login_not_required
@csrf_exempt
def api_not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer for an address below /api/ that does not exist."""
    body = {"status": 404, "title": _("There is no such URL.")}
    return JsonResponse(body, status=404, content_type=PROBLEM_TYPE)
