"""The page that a link opens: a new password, for people who are not signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from mailadmin.accounts.code_links import get_opened_code
from mailadmin.accounts.recovery.links import OpenLink, find_open_link, split_code
from mailadmin.accounts.recovery.views import CODE_KEY
from mailadmin.accounts.views import BaseLoginView
from mailadmin.changes.perform import Actor
from mailboxes.app_passwords.revocation import REVOKE_FIELD, RevocationMixin
from mailboxes.services.recovery import recover_password


class RecoveryForm(RevocationMixin):
    """A new password, typed twice. App passwords end as well, unless their owner keeps them."""

    def __init__(self, *args: Any, actor: Actor, secret: str, **kwargs: Any) -> None:
        self.actor, self.secret = actor, secret
        super().__init__(*args, **kwargs)
        self.watch_row(None)
        self.fields["password"].label = gettext_lazy("New password")
        self.fields["password2"].label = gettext_lazy("Confirm new password")
        self.fields["password"].widget.attrs["autofocus"] = True
        self.require_password()
        self.set_password_address(actor.principal.pk)
        self.initial[REVOKE_FIELD] = True
        self.offer_revocation(actor.principal)

    def save(self) -> None:
        person = self.actor.principal
        stored = self.get_password_values(person.pk)["password"]
        revokes, typed = self.revokes_app_passwords, ("", self.cleaned_data["password"])
        self.run_service(
            recover_password, person._meta.model, person.pk, self.secret, stored, revokes, typed
        )


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class RecoveryView(BaseLoginView):
    """Set a new password by the link that was opened in this browser."""

    form_class = RecoveryForm
    template_name = "recovery/recover.html"

    link: OpenLink

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        link = find_open_link(self.get_code())
        if link is None:
            return render(request, "recovery/invalid.html", status=410)
        self.link = link
        return super().dispatch(request, *args, **kwargs)

    def get_code(self) -> str:
        return get_opened_code(self.request, CODE_KEY)

    def get_throttled_name(self) -> str:
        return self.link.person.pk

    def get_form_kwargs(self) -> dict[str, Any]:
        actor = Actor.of_person(self.request, self.link.person)
        _model, _key, secret = split_code(self.get_code())
        return super().get_form_kwargs() | {"actor": actor, "secret": secret}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(person=self.link.person, **kwargs)

    def form_valid(self, form: RecoveryForm) -> HttpResponse:
        form.save()
        if form.errors:
            return self.form_invalid(form)
        self.request.session.pop(CODE_KEY, None)
        messages.success(self.request, _("Your password was changed. Sign in with it."))
        return redirect("login")

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)
