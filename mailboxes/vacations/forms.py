"""The forms of vacation replies: of one mailbox, of a row of their table, of many mailboxes."""

import datetime
import functools
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.choices import CallableChoiceIterator
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from mailadmin.changes.perform import Actor
from mailadmin.db.fields import is_known_date
from mailadmin.tables.form_sections import Section
from mailadmin.tables.forms import ConflictCheckedForm, TableForm
from mailboxes.models import Mailbox, Vacation
from mailboxes.sender_permission_forms import MailboxChoiceField
from mailboxes.services.vacations import set_vacation

# What MySQL's TIMESTAMP holds; PostfixAdmin's own default is the last of these days.
MIN_TIMESTAMP_DATE, MAX_TIMESTAMP_DATE = datetime.date(1971, 1, 1), datetime.date(2038, 1, 18)
get_time_zone_name = lazy(timezone.get_current_timezone_name, str)
ONCE = 0
INTERVAL_LABELS = {
    ONCE: _("once"),
    1: _("to every message"),
    3600: _("once an hour"),
    86400: _("once a day"),
    604800: _("once a week"),
}
MAX_INTERVAL = 2**31 - 1  # of the column
COLUMNS = ("active", "activefrom", "activeuntil", "subject", "body", "interval_time")


class DateTimeLocalInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


def get_interval_choices(*stored: int) -> list[tuple[int, Any]]:
    """Return the intervals that the operator offers and those stored, each with its label."""
    offered = settings.MAILADMIN_VACATION_CHOICE_OF_REPLY or (ONCE,)
    intervals = dict.fromkeys([*offered, *stored])
    return [(each, format_interval(each)) for each in intervals]


def format_interval(seconds: int) -> Any:
    """Return how often a sender gets a reply."""
    return INTERVAL_LABELS.get(seconds) or _("every %(seconds)d seconds") % {"seconds": seconds}


class IntervalField(forms.IntegerField):
    """The seconds after which a sender gets another reply; pages offer a few."""

    def __init__(self, *stored: int, **options: Any) -> None:
        choices = CallableChoiceIterator(functools.partial(get_interval_choices, *stored))
        widget = forms.Select(choices=choices)
        super().__init__(min_value=0, max_value=MAX_INTERVAL, widget=widget, **options)


class ReplyForm(ConflictCheckedForm):
    """What a vacation reply says, and when."""

    sections = (
        Section("", ("email", "active")),
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
    interval_time = IntervalField(label=_("Reply to each sender"))

    def offer_interval(self, vacation: Vacation | None) -> None:
        """Offer the stored interval as well, which PostfixAdmin may have set."""
        if vacation:
            label = self.fields["interval_time"].label
            self.fields["interval_time"] = IntervalField(vacation.interval_time, label=label)

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


def get_initial_reply(vacation: Vacation | None) -> dict[str, Any]:
    """Return what a form shows of a stored reply, or of a new one."""
    tomorrow = timezone.localtime() + datetime.timedelta(days=1)
    new = {
        "active": False,
        "interval_time": get_interval_choices()[0][0],
        "activefrom": timezone.now(),
        "activeuntil": tomorrow.replace(hour=23, minute=59, second=0),
        "subject": _("Out of office"),
        "body": _("I am out of the office and will reply when I am back."),
    }
    if vacation is None:
        return new
    start, end = vacation.activefrom, vacation.activeuntil
    stored = {name: getattr(vacation, name) for name in COLUMNS}
    return stored | {
        "activefrom": start if is_known_date(start) else timezone.now(),
        "activeuntil": end or new["activeuntil"],
    }


class VacationForm(ReplyForm):
    """The vacation reply of one mailbox, for its owner or an admin."""

    def __init__(self, *args: Any, actor: Actor, mailbox: Mailbox, **kwargs: Any) -> None:
        self.actor, self.mailbox = actor, mailbox
        vacation = Vacation.objects.filter(pk=mailbox.pk).first()
        kwargs["initial"] = get_initial_reply(vacation)
        super().__init__(*args, **kwargs)
        self.watch_row(vacation)
        self.offer_interval(vacation)

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        return {f.name: f.value_from_object(row) for f in row._meta.fields if f.name in self.fields}

    def save(self) -> Any:
        return self.run_service(set_vacation, self.mailbox.pk, self.get_service_values())


class BulkReplyForm(ReplyForm):
    """One vacation reply for many mailboxes."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial=get_initial_reply(None) | {"active": True})
        self.watch_row(None)


class VacationRowForm(ReplyForm, TableForm):
    """A row of the table of vacation replies."""

    create_only_fields = ("email",)
    kept_fields = ("email",)

    email = MailboxChoiceField(label=_("Mailbox"))

    class Meta:
        model = Vacation
        fields = COLUMNS

    field_order = ["email", *COLUMNS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance if self.is_edit else None
        reply = get_initial_reply(stored)
        shown = {**self.initial, **reply} if stored else {**reply, "active": True, **self.initial}
        self.initial = shown
        self.offer_interval(stored)

    @classmethod
    def identity_fields(cls, key: str) -> dict[str, Any]:
        return {"email": key}
