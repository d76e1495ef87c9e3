"""The report of stored schemes: page, lists and command, on what PostfixAdmins have stored."""

import io
import json
from unittest import mock

from django.core.management import CommandError, call_command

from domains.models import Admin
from mailadmin import passwords
from mailadmin.accounts.stored_schemes import count_schemes, filter_by_scheme
from mailadmin.passwords.schemes import SCHEMES, find_scheme
from mailadmin.passwords.strength import REJECTED_SCHEMES, STRONG_SCHEMES, is_weak
from mailboxes.models import CachedStat, Mailbox
from mailboxes.models.cached_stats import SCHEME_STATS
from mailboxes.services import cached_stats
from mailboxes.services.password_schemes import store_scheme_counts
from tests.base import PASSWORD, World

MD5 = "$1$abcdefgh$G//4keteveJp0qb8z2DxG/"
# Stored value → the scheme by which the report names it.
STORED = {
    "": "none",
    "{CRYPT}!": "none",
    "{crypt}!": "none",
    "$2y$10$" + "a" * 53: "BLF-CRYPT",
    "{CRYPT}$2b$05$" + "a" * 53: "BLF-CRYPT",
    "{crypt}$6$salt$" + "a" * 86: "SHA512-CRYPT",
    "$5$rounds=5000$salt$" + "a" * 43: "SHA256-CRYPT",
    MD5: "MD5-CRYPT",
    "{MD5-CRYPT}" + MD5: "MD5-CRYPT",
    "{CRYPT}" + MD5: "MD5-CRYPT",
    "{MD5}" + MD5: "MD5",
    "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA": "ARGON2ID",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA": "ARGON2ID",
    "{SSHA256.HEX}" + "ab" * 36: "SSHA256.HEX",
    "{plain-md5}" + "ab" * 16: "PLAIN-MD5",
    "ab" * 16: "PLAIN-MD5",
    "AB" * 20: "SHA1",
    "ab" * 64: "SHA512",
    "abcdefghijklm": "DES-CRYPT",
    "{CRYPT}abcdefghijklm": "DES-CRYPT",
    "{CRYPT}something else": "CRYPT",
    "rL0Y20zC+Fzt72VPzMSk2A==": "digest",
    "$unheard$of": "unknown",
    "$2much4you": "unknown",
    "$7$eleven": "unknown",
    "$argon2d$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA": "ARGON2ID",
    "{LANMAN}0123456789abcdef": "unknown",
    "{my}secret": "unknown",
    "{}x": "unknown",
    "{PLAIN}secret": "PLAIN",
    "secret words": "PLAIN",
    "a_b%c": "PLAIN",
}


class StoredSchemeTests(World):
    def test_every_stored_form_is_recognised(self):
        for stored, scheme in STORED.items():
            with self.subTest(stored=stored):
                Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
                people = Mailbox.objects.filter(pk=self.bob.pk)
                self.assertEqual(count_schemes(people), {(scheme,): 1})
                self.assertTrue(filter_by_scheme(people, scheme).exists())

    def test_hashes_of_every_scheme_are_recognised(self):
        for name in SCHEMES:
            stored = passwords.make_hash(PASSWORD, "bob@example.org", name)
            with self.subTest(scheme=name):
                Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
                [(scheme,)] = count_schemes(Mailbox.objects.filter(pk=self.bob.pk))
                self.assertEqual(is_weak(scheme), is_weak(find_scheme(name).canonical_name), scheme)

    def test_every_judged_scheme_exists(self):
        self.assertEqual((STRONG_SCHEMES | REJECTED_SCHEMES) - set(SCHEMES), set())
        self.assertEqual(STRONG_SCHEMES & REJECTED_SCHEMES, set())


class PasswordReportTests(World):
    def setUp(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(password=MD5)
        Admin.objects.filter(pk=self.alice.pk).update(password="{SSHA}abc")

    def report(self, person, query=""):
        self.sign_in(type(person).objects.get(pk=person.pk))
        return self.client.get("/passwords/" + query)

    def listed(self, query, table="mailboxes"):
        return [row.pk for row in self.client.get(f"/{table}/?{query}").context["rows"]]

    def test_a_superadmin_sees_all_domains_and_the_admins(self):
        page = self.report(self.root)
        found = [(each.scheme, each.people) for each in page.context["schemes"]]
        self.assertEqual(found, [("MD5-CRYPT", 1), ("BLF-CRYPT", 1)])
        self.assertEqual(page.context["weak_domains"], [("example.org", 1, 1)])
        admins = [(each.scheme, each.people) for each in page.context["admin_schemes"]]
        self.assertEqual(admins, [("SSHA", 1), ("BLF-CRYPT", 1)])
        self.assertContains(page, "rejected by Dovecot 2.4", 1)
        self.assertNotContains(page, MD5)

    def test_a_domain_admin_sees_the_own_domains(self):
        Mailbox.objects.filter(pk=self.carol.pk).update(password="{SMD5}abc")
        page = self.report(self.alice)
        self.assertEqual([each.scheme for each in page.context["schemes"]], ["MD5-CRYPT"])
        self.assertEqual([each.domain for each in page.context["weak_domains"]], ["example.org"])
        self.assertEqual(page.context["admin_schemes"], [])
        self.assertEqual(self.report(self.alice, "?domain=example.com").context["schemes"], [])
        self.assertEqual(self.listed("scheme=SMD5"), [])
        self.assertEqual(self.report(self.bob).status_code, 403)

    def test_the_lists_show_whose_they_are(self):
        self.sign_in(self.root)
        weak, strong = [self.bob.pk], [self.carol.pk]
        self.assertEqual(self.listed("scheme=weak"), weak)
        self.assertEqual(self.listed("scheme=rejected&domain=example.org"), weak)
        self.assertEqual(self.listed("scheme=weak&domain=example.com"), [])
        self.assertEqual(self.listed("scheme=md5-crypt&q=bob"), weak)
        self.assertEqual(self.listed("scheme=BLF-CRYPT"), strong)
        self.assertEqual(self.listed("scheme=none"), [])
        self.assertEqual(self.listed("scheme=weak", "admins"), [self.alice.pk])
        self.assertEqual(self.listed("scheme=rejected", "admins"), [])
        self.assertEqual(self.listed("scheme=%27%20OR%201=1"), [])

    def test_the_api_filters_too(self):
        found = self.api(self.alice).get("mailboxes", scheme="weak").json()["items"]
        self.assertEqual([row["username"] for row in found], [self.bob.pk])
        answer = self.api(self.alice).get("mailboxes", scheme="weeek")
        self.assertEqual(answer.status_code, 422)

    def test_a_large_installation_shows_what_the_worker_counted(self):
        with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", 0):
            store_scheme_counts()
            cached_stats.refresh_stats()  # leaves these numbers alone
        Mailbox.objects.filter(pk=self.carol.pk).update(password=MD5)
        schemes = self.report(self.root).context["schemes"]
        self.assertEqual(
            [(s.scheme, s.people) for s in schemes], [("MD5-CRYPT", 1), ("BLF-CRYPT", 1)]
        )
        schemes = self.report(self.alice).context["schemes"]
        self.assertEqual([(s.scheme, s.people) for s in schemes], [("MD5-CRYPT", 1)])
        self.assertEqual(self.report(self.alice, "?domain=example.com").context["schemes"], [])

    def test_a_small_installation_counts_at_once(self):
        store_scheme_counts()
        self.assertFalse(CachedStat.objects.filter(name__in=SCHEME_STATS).exists())

    def test_old_numbers_of_the_worker_are_not_shown(self):
        with mock.patch.object(cached_stats, "LIVE_COUNT_LIMIT", 0):
            store_scheme_counts()
        CachedStat.objects.filter(name="schemes_counted").update(number=1)
        Mailbox.objects.filter(pk=self.carol.pk).update(password=MD5)
        found = [tuple(each) for each in self.report(self.root).context["schemes"]]
        self.assertEqual(found, [("MD5-CRYPT", 2)])

    def test_the_command_prints_the_same(self):
        out = io.StringIO()
        call_command("password-report", "--json", stdout=out)
        rows = [tuple(row.values()) for row in json.loads(out.getvalue())]
        self.assertEqual(
            rows,
            [
                ("example.com", "BLF-CRYPT", 1, False, False),
                ("example.org", "MD5-CRYPT", 1, True, True),
                ("(admins)", "BLF-CRYPT", 1, False, False),
                ("(admins)", "SSHA", 1, True, False),
            ],
        )
        out = io.StringIO()
        call_command("password-report", "--domain", "example.org", stdout=out)
        self.assertIn("MD5-CRYPT", out.getvalue())
        self.assertNotIn("example.com", out.getvalue())
        with self.assertRaisesMessage(CommandError, "There is no domain example.net."):
            call_command("password-report", "--domain", "example.net")
