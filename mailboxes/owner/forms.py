"""Forms of a mailbox owner, or of an admin in their place: forwarding, password."""

from typing import Any

from django import forms
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.backends import count_proof
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.signed_in import record_session
from mailadmin.changes.perform import Actor
from mailadmin.names import fold, validate_address
from mailadmin.tables.forms import ConflictCheckedForm
from mailboxes.app_passwords.revocation import REVOKE_FIELD, RevocationMixin
from mailboxes.forms import get_goto_initial
from mailboxes.goto_fields import GotoMixin
from mailboxes.models import Alias, Mailbox
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import set_password


class ForwardingForm(GotoMixin, ConflictCheckedForm):
    """Where mail of a mailbox is forwarded, and whether a copy is kept."""

    goto_mailbox = forms.BooleanField(
        label=_("Keep a copy in the mailbox"),
        required=False,
        help_text=_("If not selected, mail is only forwarded."),
    )
    field_order = ["goto", "goto_mailbox"]

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        alias = Alias.objects.filter(pk=mailbox.pk).first()
        kwargs["initial"] = get_goto_initial(alias) if alias else {"goto": [], "goto_mailbox": True}
        super().__init__(*args, **kwargs)
        self.watch_row(alias)

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return {"goto": row.goto}

    def get_display_values(self, row: Any) -> dict[str, Any]:
        return get_goto_initial(row)

    def _clean_target(self, line: str) -> str:
        """Refuse a name without domain from an owner: it would be a user of the mail server."""
        if "@" not in line and self.actor.principal.role is Role.MAILBOX:
            validate_address(line)
        return super()._clean_target(line)

    def clean(self) -> dict[str, Any]:
        """Take the own address among the targets as asking for a copy."""
        cleaned = super().clean()
        if fold(self.mailbox.pk) in map(fold, cleaned.get("goto", [])):
            cleaned["goto_mailbox"] = True
        return cleaned

    def save(self) -> Any:
        values = self.get_service_values()
        return self.run_service(
            set_forwarding, self.mailbox.pk, values["goto"], values["goto_mailbox"]
        )


class PasswordChangeForm(RevocationMixin, ConflictCheckedForm):
    """The current password, and the new one twice."""

    old_password = forms.CharField(
        label=_("Current password"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    field_order = ["old_password", "password", "password2", REVOKE_FIELD]

    def __init__(self, *args: Any, actor: Actor, request: HttpRequest, **kwargs: Any) -> None:
        self.actor, self.request = actor, request
        super().__init__(*args, **kwargs)
        self.watch_row(None)
        self.fields["password"].label = _("New password")
        self.fields["password2"].label = _("Confirm new password")
        self.require_password()
        self.set_password_address(self.actor.principal.pk)
        self.offer_revocation(self.actor.principal)

    def clean_old_password(self) -> str:
        """Count wrong guesses as the login does."""
        typed, person = self.cleaned_data["old_password"], self.actor.principal
        with count_proof(self.request, person, "old password"):
            if not person.check_password(typed):
                raise ValidationError(_("The current password is incorrect."))
        return typed

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("password") and cleaned["password"] == cleaned.get("old_password"):
            self.add_error("password", _("The new password is the same as the current one."))
        return cleaned

    def save(self) -> Any:
        """Change the password; all sessions end but the one that asks for it."""
        person = self.actor.principal
        stored = self.get_password_values(person.username)["password"]
        typed = self.cleaned_data["old_password"], self.cleaned_data["password"]
        revokes = self.revokes_app_passwords
        saved = self.run_service(
            set_password, person._meta.model, person.pk, stored, revokes, typed
        )
        if saved:
            person.password = stored
            self.continue_session(person)
        return saved

    def continue_session(self, person: Principal) -> None:
        update_session_auth_hash(self.request, person)  # type: ignore[arg-type]  # or a mailbox
        record_session(self.request, person)  # it has a new key
