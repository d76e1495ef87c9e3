"""Helpers for tests of mailboxes and aliases."""

from django.core.exceptions import ValidationError

from domains.models import Domain
from mailboxes.models import Alias
from mailboxes.services.aliases import create_aliases
from tests.base import World

VACATION_TARGET = "bob#example.org@autoreply.localhost"


class AliasWorld(World):
    def refused(self, person, service, *arguments):
        with self.assertRaises(ValidationError) as caught:
            self.perform(person, service, *arguments)
        return " ".join(caught.exception.messages)

    def row(self, name, *goto, domain="example.org"):
        return {"local_part": name, "domain": Domain.objects.get(pk=domain), "goto": list(goto)}

    def alias(self, name, *goto, person=None, domain="example.org"):
        row = self.row(name, *goto, domain=domain)
        return self.perform(person or self.alice, create_aliases, [row])

    def goto(self, key="bob@example.org"):
        return Alias.objects.get(pk=key).goto
