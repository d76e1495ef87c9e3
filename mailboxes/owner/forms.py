"""Forms of a mailbox owner, or of an admin in their place: forwarding, vacation, password."""

import datetime
from typing import Any

from django import forms
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.backends import count_proof
from mailadmin.accounts.models import Role
from mailadmin.accounts.signed_in import record_session
from mailadmin.changes.perform import Actor
from mailadmin.db.fields import is_known_date
from mailadmin.names import fold, validate_address
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ConflictCheckedForm
from mailboxes.app_passwords.revocation import REVOKE_FIELD, RevocationMixin
from mailboxes.forms import get_goto_initial
from mailboxes.goto_fields import GotoMixin
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import set_password
from mailboxes.services.vacations import set_vacation

# What MySQL's TIMESTAMP holds; PostfixAdmin's own default is the last of these days.
MIN_TIMESTAMP_DATE, MAX_TIMESTAMP_DATE = datetime.date(1971, 1, 1), datetime.date(2038, 1, 18)
get_time_zone_name = lazy(timezone.get_current_timezone_name, str)
REPLY_INTERVAL_CHOICES = [(0, _("once")), (86400, _("once a day")), (604800, _("once a week"))]


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


class DateTimeLocalInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class VacationForm(ConflictCheckedForm):
    """The vacation reply."""

    sections = (
        Section("", ("active",)),
        Section(
            _("Period"),
            ("activefrom", "activeuntil"),
            help=format_lazy(_("Time zone: {name}"), name=get_time_zone_name()),
        ),
        Section(_("Reply"), ("subject", "body", "interval_time")),
    )

    active = forms.BooleanField(label=_("Send vacation replies"), required=False)
    activefrom = forms.DateTimeField(label=_("From"), widget=DateTimeLocalInput)
    activeuntil = forms.DateTimeField(label=_("Until"), widget=DateTimeLocalInput)
    subject = forms.CharField(label=_("Subject"), max_length=255)
    body = forms.CharField(
        label=_("Text"), widget=forms.Textarea(attrs={"rows": 7}), max_length=60000
    )
    interval_time = forms.TypedChoiceField(
        label=_("Reply to each sender"), coerce=int, choices=REPLY_INTERVAL_CHOICES
    )

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        vacation = Vacation.objects.filter(pk=mailbox.pk).first()
        kwargs["initial"] = (
            self._get_current_initial(vacation) if vacation else self._get_default_initial()
        )
        super().__init__(*args, **kwargs)
        self.watch_row(vacation)
        interval = vacation.interval_time if vacation else 0
        if interval not in dict(REPLY_INTERVAL_CHOICES):
            label = _("every %(seconds)d seconds") % {"seconds": interval}
            field: Any = self.fields["interval_time"]
            field.choices = [*REPLY_INTERVAL_CHOICES, (interval, label)]

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return {f.name: f.value_from_object(row) for f in row._meta.fields if f.name in self.fields}

    def _get_current_initial(self, vacation: Vacation) -> dict[str, Any]:
        start, end = vacation.activefrom, vacation.activeuntil
        return {
            name: getattr(vacation, name) for name in ("active", "subject", "body", "interval_time")
        } | {
            "activefrom": start if is_known_date(start) else timezone.now(),
            "activeuntil": end or self._get_default_initial()["activeuntil"],
        }

    def _get_default_initial(self) -> dict[str, Any]:
        tomorrow = timezone.localtime() + datetime.timedelta(days=1)
        return {
            "active": False,
            "interval_time": 0,
            "activefrom": timezone.now(),
            "activeuntil": tomorrow.replace(hour=23, minute=59, second=0),
            "subject": _("Out of office"),
            "body": _("I am out of the office and will reply when I am back."),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.validate_columns(Vacation, cleaned)
        start, end = cleaned.get("activefrom"), cleaned.get("activeuntil")
        if start and end and end <= start:
            self.add_error("activeuntil", _("The end must not be before the start."))
        elif cleaned.get("active") and end and end < timezone.now():
            self.add_error("activeuntil", _("The end is in the past."))
        for name in ("activefrom", "activeuntil"):
            if (
                moment := cleaned.get(name)
            ) and not MIN_TIMESTAMP_DATE <= moment.date() <= MAX_TIMESTAMP_DATE:
                self.add_error(
                    name,
                    _("Enter a date up to the year 2037. The database cannot store later ones."),
                )
        return cleaned

    def save(self) -> Any:
        return self.run_service(set_vacation, self.mailbox.pk, self.get_service_values())


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
        """Change the password; other sessions end, this one continues."""
        person = self.actor.principal
        stored = self.get_password_values(person.username)["password"]
        saved = self.run_service(
            set_password, person._meta.model, person.pk, stored, self.revokes_app_passwords
        )
        if saved:
            person.password = stored
            update_session_auth_hash(self.request, person)
            record_session(self.request, person)  # it has a new key
        return saved
