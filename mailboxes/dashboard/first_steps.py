"""The first steps on a new installation."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Role
from mailboxes.models import Verification


@dataclass(frozen=True)
class FirstStep:
    label: str
    help: str
    url: str
    is_done: bool


def build_first_steps(person: Any, totals: dict[str, int]) -> list[FirstStep]:
    """Return what a superadmin does first, until there are a domain and a mailbox."""
    if person.role is not Role.SUPERADMIN or (totals["domains"] and totals["mailboxes"]):
        return []
    return [
        FirstStep(
            _("Add a domain"),
            _("A domain holds mailboxes and aliases."),
            reverse("domains-create"),
            bool(totals["domains"]),
        ),
        FirstStep(
            _("Create a mailbox"),
            _("Its page shows what the owner needs to set up a mail program."),
            reverse("mailboxes-create"),
            bool(totals["mailboxes"]),
        ),
        FirstStep(
            _("Connect the mail server"),
            _("Generate the configuration of Postfix and Dovecot for this database."),
            reverse("mailserver"),
            Verification.objects.exists(),
        ),
        FirstStep(
            _("Check the delivery"),
            _("See step by step what happens to mail for the new address."),
            reverse("explain"),
            False,
        ),
    ]
