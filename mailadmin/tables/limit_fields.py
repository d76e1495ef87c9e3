"""Form fields of what limits a token or a password: networks, and a last day."""

import datetime
import ipaddress
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.tables.form_fields import LineListField

LAST_POSSIBLE_DAY = datetime.date(2999, 1, 1)


class NetworkListField(LineListField):
    """IP addresses and networks, one on each line; an address is a network of one."""

    def __init__(self, *, max_networks: int, **options: Any) -> None:
        self.max_networks = max_networks
        options.setdefault("label", _("Allowed IP addresses"))
        options.setdefault(
            "help_text",
            _("One address or network per line. Leave blank to allow any IP address."),
        )
        super().__init__(required=False, **options)

    def clean(self, value: Any) -> list[str]:
        networks = super().clean(value)
        if len(networks) > self.max_networks:
            raise ValidationError(
                _("Enter at most %(most)s addresses."), params={"most": self.max_networks}
            )
        return list(dict.fromkeys(normalize_network(text) for text in networks))


def normalize_network(text: str) -> str:
    """Return a network as it is stored."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError as error:
        raise ValidationError(
            _("“%(value)s” is not an IP address or network.") % {"value": text}
        ) from error


class LastDayField(forms.DateField):
    """The last day on which something is valid; the value is the end of that day.

    The day on which `current_end` falls leaves that as it is, also if it is over.
    """

    current_end: datetime.datetime | None = None

    def __init__(self, **options: Any) -> None:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        super().__init__(required=False, widget=widget, label=_("Valid until"), **options)

    def clean(self, value: Any) -> datetime.datetime | None:
        day = super().clean(value)
        if day is None:
            return None
        if self.current_end and format_last_day(self.current_end) == day.isoformat():
            return self.current_end
        if not timezone.localdate() <= day <= LAST_POSSIBLE_DAY:
            raise ValidationError(_("This date is in the past or too far in the future."))
        after = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time())
        return timezone.make_aware(after)


def format_last_day(end: datetime.datetime | None) -> str:
    """Return the last day before this moment, as forms and programs write it; empty for none."""
    if end is None:
        return ""
    last = end - datetime.timedelta(microseconds=1)
    return timezone.localtime(last).date().isoformat()
