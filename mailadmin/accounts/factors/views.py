"""One's own second factors: authenticator app, passkeys, recovery codes."""

from collections.abc import Callable
from textwrap import wrap
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView, View

from mailadmin.accounts.factors.forms import CodeForm, NewPasskeyForm
from mailadmin.accounts.factors.models import Passkey
from mailadmin.accounts.factors.passkeys import (
    build_creation_options,
    get_site,
    list_passkeys,
    read_new_passkey,
)
from mailadmin.accounts.factors.policy import get_policy_level
from mailadmin.accounts.factors.recovery_codes import CODE_COUNT, get_unused_codes
from mailadmin.accounts.factors.services import (
    add_passkey,
    disable_totp,
    enable_totp,
    remove_passkey,
    replace_recovery_codes,
)
from mailadmin.accounts.factors.totp import build_totp_uri, generate_totp_secret, verify_totp
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.accounts.signed_in import describe_device, end_other_sessions
from mailadmin.changes.perform import perform
from mailadmin.qr_codes import draw_qr_code
from mailadmin.tables.views.base import show_errors

NEW_SECRET_KEY = "mailadmin_totp"  # noqa: S105 (of the session's data)
GROUP_LENGTH = 4


class FactorListView(RoleRequiredMixin, TemplateView):
    """The second factors of the person who is signed in."""

    roles = Role.ANYONE
    template_name = "account/factors.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = self.principal
        passkeys = list_passkeys(person)
        return super().get_context_data(
            has_totp=bool(person.totp_secret),
            passkeys=passkeys,
            has_factor=bool(person.totp_secret or passkeys),
            are_passkeys_possible=get_site() is not None,
            codes_left=get_unused_codes(person).count(),
            code_count=CODE_COUNT,
            policy=get_policy_level(person),
            **kwargs,
        )


class FactorChangeMixin(RecentProofMixin):
    """A change of one's own second factors."""

    roles = Role.ANYONE

    @property
    def person_key(self) -> tuple[Any, Any]:
        """Return model and key of the person, as services take them."""
        return self.principal._meta.model, self.principal.pk

    def get_page_after_proof(self) -> str:
        """Return the page of the change; what answers to POST alone has none."""
        is_page = hasattr(self, "get")
        return self.request.path if is_page else reverse("factors")

    def finish(self, text: str, codes: list[str]) -> HttpResponse:
        """Show new recovery codes, which no other page shows; else return to the factors."""
        messages.success(self.request, text)
        if not codes:
            return redirect("factors")
        end_other_sessions(self.request, self.principal)  # they have begun without a factor
        return self.show_codes(codes)

    def remove(self, text: str, service: Callable[..., None], *arguments: Any) -> HttpResponse:
        """Run a service that removes a factor; it may be the last one, and required."""
        try:
            perform(self.actor, service, *self.person_key, *arguments)
        except ValidationError as error:
            show_errors(self.request, error)
        else:
            messages.success(self.request, text)
        return redirect("factors")

    def show_codes(self, codes: list[str]) -> HttpResponse:
        return render(self.request, "account/recovery_codes.html", {"codes": codes})


class TotpSetupView(FactorChangeMixin, FormView):
    """Set up an authenticator app; its first code confirms that it works."""

    template_name = "account/totp.html"
    form_class = CodeForm

    def get_secret(self) -> str:
        """Return the secret that the page shows: the same one when it is loaded again."""
        session = self.request.session
        if NEW_SECRET_KEY not in session:
            session[NEW_SECRET_KEY] = generate_totp_secret()
        return session[NEW_SECRET_KEY]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        secret = self.get_secret()
        uri = build_totp_uri(secret, self.principal.username)
        return super().get_context_data(
            secret=" ".join(wrap(secret, GROUP_LENGTH)),
            uri=uri,
            qr_code=draw_qr_code(uri),
            replaces=bool(self.principal.totp_secret),
            **kwargs,
        )

    def form_valid(self, form: CodeForm) -> HttpResponse:
        secret = self.get_secret()
        if not verify_totp(self.principal, form.cleaned_data["code"], secret):
            form.add_refusal()
            return self.form_invalid(form)
        try:
            codes = perform(self.actor, enable_totp, *self.person_key, secret)
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        del self.request.session[NEW_SECRET_KEY]
        return self.finish(_("Your authenticator app is set up."), codes)

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class TotpRemoveView(FactorChangeMixin, View):
    """Remove the authenticator app."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.remove(_("Your authenticator app was removed."), disable_totp)


class PasskeyAddView(FactorChangeMixin, FormView):
    """Add a passkey, which the browser creates."""

    template_name = "account/passkey_add.html"
    form_class = NewPasskeyForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not get_site():
            messages.error(request, _("Passkeys need the setting MAILADMIN_URL."))
            return redirect("factors")
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        return {"name": describe_device(self.request.headers.get("User-Agent", ""))[:60]}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        options = build_creation_options(self.principal, list_passkeys(self.principal))
        return super().get_context_data(options=options, **kwargs)

    def form_valid(self, form: NewPasskeyForm) -> HttpResponse:
        values = form.cleaned_data
        try:
            passkey = read_new_passkey(self.principal, values["credential"], values["name"])
            codes = perform(self.actor, add_passkey, *self.person_key, passkey)
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        return self.finish(_("The passkey “%(name)s” was added.") % {"name": passkey}, codes)

    def form_invalid(self, form: NewPasskeyForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PasskeyRemoveView(FactorChangeMixin, View):
    """Remove one of the own passkeys."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        passkey = get_object_or_404(Passkey.objects.owned_by(self.principal), pk=pk)
        text = _("The passkey “%(name)s” was removed.") % {"name": passkey}
        return self.remove(text, remove_passkey, pk)


class RecoveryCodesView(FactorChangeMixin, View):
    """Create new recovery codes, which end the earlier ones."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show no codes again: the page of new ones was loaded again."""
        return redirect("factors")

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            codes = perform(self.actor, replace_recovery_codes, *self.person_key)
        except ValidationError as error:
            show_errors(request, error)
            return redirect("factors")
        return self.show_codes(codes)
