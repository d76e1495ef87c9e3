"""Routes to explain."""

import datetime

from django.utils import timezone
from django.utils.html import strip_tags

from domains.models import AliasDomain, Domain
from mailboxes.models import Alias, Vacation
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.path import build_path
from mailboxes.postfix.explain.sentences import format_sentences
from tests.base import World

AWAY = "bob#example.org@autoreply.localhost"
ACCEPTED = "Accepted, because example.org is a domain of this server and"
BOUNCES = "Mail to nobody@example.org bounces, because no active mailbox has this address."


class RouteWorld(World):
    def set_targets(self, *goto, key="info@example.org"):
        Alias.objects.filter(pk=key).update(goto=",".join(goto))

    def mirror(self, target="example.org"):
        Domain.objects.create(domain="mirror.example")
        AliasDomain.objects.create(alias_domain_id="mirror.example", target_domain_id=target)

    def send_vacation_replies(self):
        until = timezone.now() + datetime.timedelta(days=1)
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", activeuntil=until)

    def path(self, address, person=None):
        """Return the sentences, with the first as it is for every address left out."""
        texts = [
            strip_tags(step.text) for step in build_path(explain(person or self.root, address))
        ]
        self.assertEqual(texts[0], f"Received for {address}.")
        return texts[1:]

    def sentences(self, address, person=None):
        return strip_tags(format_sentences(explain(person or self.root, address)))
