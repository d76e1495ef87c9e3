"""What the operator allows to be entered: targets, domains that exist, names of mailboxes."""

import re
import socket
import threading
from unittest import mock

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
from django.core.exceptions import ValidationError
from django.test import override_settings

from domains.models import Domain
from mailadmin import dns_lookup
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import create_aliases, edit_alias
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World


class NameServer(threading.Thread):
    """A name server on loopback: domain → type of its record; None answers nothing at all."""

    def __init__(self, **records):
        super().__init__(daemon=True)
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))

    def __enter__(self):
        self.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.socket.getsockname()[1]
        self.former, dns.resolver.default_resolver = dns.resolver.default_resolver, resolver
        return self

    def __exit__(self, *error):
        dns.resolver.default_resolver = self.former
        self.socket.close()

    def run(self):
        while True:
            try:
                packet, client = self.socket.recvfrom(4096)
            except OSError:
                return
            if reply := self.answer(dns.message.from_wire(packet)):
                self.socket.sendto(reply.to_wire(), client)

    def answer(self, query):
        [question] = query.question
        name = question.name.to_text().rstrip(".")
        known = self.records.get(name.split(".")[0], "missing")
        reply = dns.message.make_response(query)
        values = {
            "TXT": "x",
            "MX": "10 mx.test.",
            "A": "192.0.2.1",
            "AAAA": "2001:db8::1",
            "NS": "ns.test.",
        }
        if known is None:
            return None
        if known == "missing":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.from_text(known):
            record = dns.rrset.from_text(question.name, 60, "IN", known, values[known])
            reply.answer.append(record)
        return reply


class LocalTargetTests(World):
    def refuses(self, service, *arguments):
        try:
            self.perform(self.alice, service, *arguments)
        except ValidationError as error:
            self.assertIn("not in a domain of this mail server", " ".join(error.messages))
            return True
        return False

    @override_settings(MAILADMIN_EMAILCHECK_LOCALALIASONLY=True)
    def test_new_targets_must_be_in_domains_of_the_panel(self):
        row = {"local_part": "new", "domain": Domain.objects.get(pk="example.org")}
        key = "info@example.org"
        self.assertTrue(self.refuses(create_aliases, [row | {"goto": ["x@far.test"]}]))
        self.assertTrue(self.refuses(edit_alias, key, {"goto": ["x@far.test", self.bob.pk]}))
        self.assertTrue(self.refuses(set_forwarding, self.bob.pk, ["x@far.test"], True))
        self.assertFalse(self.refuses(create_aliases, [row | {"goto": ["x@Example.COM"]}]))
        self.assertFalse(self.refuses(set_forwarding, self.bob.pk, [self.carol.pk], True))

    @override_settings(MAILADMIN_EMAILCHECK_LOCALALIASONLY=True)
    def test_targets_that_an_alias_has_may_stay(self):
        Alias.objects.filter(pk="info@example.org").update(goto="x@far.test")
        values = {"goto": ["x@far.test", self.bob.pk], "description": "more"}
        self.assertFalse(self.refuses(edit_alias, "info@example.org", values))
        self.assertTrue(self.refuses(edit_alias, "info@example.org", {"goto": ["y@far.test"]}))

    def test_otherwise_they_may_be_anywhere(self):
        self.assertFalse(self.refuses(edit_alias, "info@example.org", {"goto": ["x@far.test"]}))


@override_settings(MAILADMIN_EMAILCHECK_RESOLVE_DOMAIN=True)
class DomainLookupTests(World):
    def create(self, name):
        return self.api(self.root).post("domains", {"domain": f"{name}.test"})

    def forward(self, *targets):
        data = {"goto": list(targets)}
        return self.api(self.alice).patch("aliases/info@example.org", data)

    def test_a_domain_with_any_record_is_accepted(self):
        with NameServer(mx="MX", a="A", aaaa="AAAA", ns="NS", bare="TXT"):
            for name, status in {
                **dict.fromkeys(("mx", "a", "aaaa", "ns"), 201),
                **dict.fromkeys(("bare", "missing"), 422),
            }.items():
                self.assertEqual(self.create(name).status_code, status, name)
            text = self.create("missing").json()["errors"]["domain"]
            self.assertEqual(text, ["The domain missing.test does not exist in DNS."])

    def test_targets_are_looked_up_unless_they_were_there_or_are_local(self):
        with NameServer(far="MX"):
            self.assertEqual(self.forward("x@far.test", self.carol.pk).status_code, 200)
            self.assertEqual(self.forward("x@gone.test").status_code, 422)
        with NameServer(far="missing"):
            self.assertEqual(self.forward("y@far.test", self.bob.pk).status_code, 200)

    def test_a_silent_name_server_is_an_error_within_a_limited_time(self):
        with NameServer(quiet=None), mock.patch.object(dns_lookup, "LOOKUP_SECONDS", 0.5):
            response = self.create("quiet")
        self.assertEqual(response.status_code, 422)
        self.assertIn("cannot be looked up", response.json()["errors"]["domain"][0])
        self.assertFalse(Domain.objects.filter(pk="quiet.test").exists())

    def test_many_domains_are_not_looked_up_for_longer_than_one(self):
        with NameServer(a="NS", b="NS"), mock.patch.object(dns_lookup, "LOOKUP_SECONDS", 0):
            self.assertEqual(self.forward("x@a.test", "x@b.test").status_code, 422)

    def test_a_local_domain_in_capitals_is_not_looked_up(self):
        with NameServer():
            self.assertEqual(self.forward("carol@EXAMPLE.com").status_code, 200)

    @override_settings(MAILADMIN_EMAILCHECK_RESOLVE_DOMAIN=False)
    def test_without_the_setting_nobody_is_asked(self):
        with NameServer():
            self.assertEqual(self.create("missing").status_code, 201)
            self.assertEqual(self.forward("x@gone.test").status_code, 200)


class LegalCharacterTests(World):
    @override_settings(MAILADMIN_USERNAME_LEGAL_CHARS=re.compile("^[a-z0-9-_.]+$"))
    def test_new_mailboxes_have_the_allowed_characters_only(self):
        row = {"password": "x", "domain": Domain.objects.get(pk="example.org")}
        self.perform(self.alice, create_mailboxes, [row | {"local_part": "a-b.c_1"}])
        for name in ("o'neil", "a/b", "a=b"):
            with self.assertRaises(ValidationError, msg=name):
                self.perform(self.alice, create_mailboxes, [row | {"local_part": name}])
        self.assertFalse(Mailbox.objects.filter(pk__startswith="o'neil").exists())
