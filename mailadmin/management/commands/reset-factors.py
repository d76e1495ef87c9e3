"""`reset-factors`: remove the second factors of somebody who has lost them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS, AdminBackend, MailboxBackend
from mailadmin.accounts.factors.policy import has_second_factor
from mailadmin.accounts.factors.services import reset_factors
from mailadmin.accounts.models import Principal
from mailadmin.changes.perform import Actor, perform
from mailadmin.console import report_database_errors


class Command(BaseCommand):
    help = "Remove the authenticator app, passkeys and recovery codes of an admin or mailbox."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address")
        kinds = parser.add_mutually_exclusive_group()
        for option, backend in (("--admin", AdminBackend), ("--mailbox", MailboxBackend)):
            kinds.add_argument(option, action="store_const", const=backend.model_name, dest="kind")

    def handle(self, *args: Any, address: str, kind: str | None, **options: Any) -> None:
        with report_database_errors():
            person = find_person(address, kind)
            perform(Actor.console(), reset_factors, person._meta.model, [person.pk])
        text = _("Two-factor authentication of %(person)s was reset.")
        self.stdout.write(text % {"person": person})


def find_person(address: str, kind: str | None) -> Principal:
    """Return the one person of this address who has a second factor."""
    backends = [each() for each in PRINCIPAL_BACKENDS if kind in (None, each.model_name)]
    found = [person for each in backends if (person := each.find_principal(address))]
    if not found:
        text = _("There is no active admin or mailbox %(address)s.")
        raise CommandError(text % {"address": address})
    people = [person for person in found if has_second_factor(person)]
    if not people:
        raise CommandError(_("%(address)s has no second factor.") % {"address": address})
    if len(people) > 1:
        text = _("%(address)s is an admin and a mailbox: add --admin or --mailbox.")
        raise CommandError(text % {"address": address})
    return people[0]
