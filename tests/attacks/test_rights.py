"""Rights that reach too far.

Classes: a global TOTP exception by a domain admin (PostfixAdmin #1012, #1014); search outside the
own domains (#947); protected aliases (CVE-2017-5930); foreign objects in bulk actions and nested
ones (CVE-2026-113598, -113599); the page forbids, the API allows (CVE-2026-113677); hash and TOTP
secret in an answer (CVE-2026-62988); any password, or a hash, accepted (iRedAdmin 0.6.2, 2.8).
"""

import pickle

from django.contrib.sessions.models import Session
from django.core import signing
from django.test import Client

from domains.models import TotpException
from mailadmin.accounts.models import LoginFailure
from mailboxes.models import Alias, Mailbox, Vacation
from tests.attacks.matrix import MatrixWorld
from tests.base import PASSWORD
from tests.mailadmin.login_world import SECRET, LoginWorld

ATTACKS: list[str] = []


class Attack:
    def __reduce__(self):
        return ATTACKS.append, ("run",)


class PickleSerializer:
    """Writes what a program that reads pickles would run."""

    def dumps(self, _data):
        return pickle.dumps(Attack())


GLOBAL = ("", None, "ALL", "*", "%", "@", "_", " ", "\x00", "example", "example.com", ".")


class RankTests(MatrixWorld):
    def test_a_domain_admin_makes_no_exception_for_everybody(self):
        count = TotpException.objects.count()
        self.sign_in(self.alice)
        program = self.api(self.alice)
        for name in GLOBAL:
            row = {"ip": "198.51.100.9", "username": name, "description": "x"}
            self.client.post("/totp-exceptions/create/", {**row, "username": name or ""})
            program.post("totp-exceptions", row)
            program.patch(f"totp-exceptions/{self.keys['totp-exceptions'][0]}", {"username": name})
        self.assertEqual(TotpException.objects.count(), count)
        self.assertFalse(TotpException.objects.filter(username__in=["", "ALL", "*"]).exists())
        self.assertFalse(TotpException.objects.filter(username=None).exists())

    def test_protected_aliases_are_deleted_by_no_domain_admin(self):
        for name in ("postmaster", "abuse"):
            domain = Mailbox.objects.get(pk=self.bob.pk).domain
            goto = "root@example.net"
            Alias.objects.create(address=f"{name}@example.org", domain=domain, goto=goto)
        self.sign_in(self.alice)
        program = self.api(self.alice)
        for name in ("postmaster@example.org", "abuse@example.org"):
            self.client.post(f"/aliases/{name}/delete/", {"confirm": name})
            data = {"action": "delete", "keys": [name, name.upper()], "confirmed": "1"}
            self.client.post("/aliases/bulk/", data)
            self.client.post(f"/aliases/{name}/toggle/", {"field": "active", "value": "0"})
            program.delete(f"aliases/{name}")
            program.patch(f"aliases/{name}", {"goto": ["evil@example.org"]})
            self.assertEqual(Alias.objects.get(pk=name).goto, "root@example.net")
            self.assertTrue(Alias.objects.get(pk=name).active)

    def test_foreign_rows_in_bulk_actions_stay_as_they_are(self):
        self.sign_in(self.alice)
        program = self.api(self.alice)
        for action in ("delete", "deactivate", "activate"):
            for keys in (["carol@example.com"], ["bob@example.org", "carol@example.com"], ["%"]):
                data = {"action": action, "keys": keys, "confirmed": "1", "all": "1"}
                self.client.post("/mailboxes/bulk/?domain=example.com", data)
        rows = [{"username": "carol@example.com", "active": False}]
        program.patch("mailboxes", rows)
        carol = Mailbox.objects.get(pk="carol@example.com")
        self.assertTrue(carol.active)

    def test_nobody_changes_a_vacation_reply_of_another_domain(self):
        for person in (self.alice, self.bob):
            self.sign_in(person)
            data = {"subject": "x", "body": "x", "active": "on", "username": "carol@example.com"}
            self.client.post("/mailboxes/carol@example.com/vacation/", data)
            self.client.post("/mailboxes/CAROL@EXAMPLE.COM/vacation/", data)
            self.client.post("/account/vacation/", data)
        self.assertEqual(Vacation.objects.get(pk="carol@example.com").subject, "Away")

    def test_search_with_wildcards_stays_in_the_own_domains(self):
        self.sign_in(self.alice)
        for text in ("%", "_", "*", "carol", "example.com", "' OR 1=1 --", "c_rol", "car%", "\\"):
            for url in ("/search/", "/mailboxes/", "/aliases/", "/log/", "/domains/pick/"):
                response = self.client.get(url, {"q": text, "domain": ""})
                if response.status_code == 200:
                    self.assertNotIn(b"info@example.com", response.content, (url, text))
                    self.assertNotIn(b"zanzibar", response.content, (url, text))

    def test_the_api_forbids_what_the_page_forbids(self):
        """Also values: a catch-all, a foreign target domain, a quota above the limit."""
        self.sign_in(self.alice)
        program = self.api(self.alice)
        for slug, row in (
            ("mailboxes", {"local_part": "x", "domain": "example.com", "password": PASSWORD}),
            ("mailboxes", {"local_part": "x@example.com", "domain": "example.org"}),
            ("aliases", {"local_part": "x", "domain": "example.com", "goto": ["a@b.example"]}),
            ("alias-domains", {"alias_domain": "example.com", "target_domain": "example.org"}),
            ("alias-domains", {"alias_domain": "example.org", "target_domain": "example.com"}),
            ("domains", {"domain": "new.example"}),
            ("admins", {"username": "new@example.org", "superadmin": True}),
            ("transports", {"pattern": "example.org", "transport": "smtp:evil"}),
        ):
            page = self.client.post(f"/{slug}/create/", row)
            self.assertIn(page.status_code, (403, 422), (slug, row))
            self.assertIn(program.post(slug, row).status_code, (403, 422), (slug, row))


class SecretTests(MatrixWorld):
    def test_no_answer_of_the_api_has_a_hash_or_a_secret(self):
        Mailbox.objects.update(totp_secret=SECRET)
        type(self.root).objects.update(totp_secret=SECRET)
        hidden = [SECRET, self.root.password, self.bob.password, "totp_secret", "private_key"]
        program = self.api(self.root)
        for slug, keys in self.keys.items():
            for place in (slug, f"{slug}/{keys[0]}"):
                text = program.get(place).content.decode()
                for word in hidden:
                    self.assertNotIn(word, text, place)
        changed = program.patch("mailboxes/bob@example.org", {"name": "Bob", "password": PASSWORD})
        self.assertEqual(changed.status_code, 200)
        for word in ("{", SECRET, PASSWORD):
            self.assertNotIn(word, changed.content.decode()[1:])


class PasswordTests(LoginWorld):
    def assert_refused_login(self, name, typed):
        LoginFailure.objects.all().delete()  # or the limit would refuse it
        client = Client()
        self.assertEqual(self.log_in(name, typed, client=client).status_code, 200)
        self.assertFalse(self.is_logged_in(client), (name, typed))

    def test_neither_hashes_nor_prefixes_nor_nothing_sign_in(self):
        stored = self.bob.password
        for scheme in ("", "{PLAIN}", "{CLEAR}", "{NONE}", "{X}", "{CRYPT}", "$1$"):
            for typed in (stored, scheme + stored, scheme, "\x00", scheme + PASSWORD + "\x00"):
                self.assert_refused_login(self.bob.pk, typed)

    def test_a_hash_of_an_unknown_scheme_accepts_nothing(self):
        for stored in (
            "",
            "{X-NEW}abc",
            "{PLAIN}",
            "*",
            "!",
            "x",
            "$9$a$b",
            "{SSHA}",
            "{BLF-CRYPT}",
        ):
            Mailbox.objects.filter(pk=self.bob.pk).update(password=stored)
            for typed in ("", stored, "x", "0", "abc"):
                self.assert_refused_login(self.bob.pk, typed)

    def test_no_password_is_changed_without_the_old_one(self):
        """Nor that of another, whom a form or a query names (CVE-2026-62644)."""
        new = "another-horse-42"
        for person in (self.root, self.alice, self.bob):
            self.sign_in(person)
            before = type(person).objects.values_list("pk", "password").order_by("pk")
            stored, url = list(before), "/account/password/?username=carol@example.com"
            data = {"password": new, "password2": new}
            data["username"] = "carol@example.com"
            for old in ("", "x", new, person.password, "\x00", None):
                self.client.post(url, data | ({} if old is None else {"old_password": old}))
                self.assertEqual(list(before.all()), stored, (person.pk, old))
            self.client.post(url, data | {"old_password": PASSWORD})
            changed = set(before.all()) ^ set(stored)
            self.assertEqual({name for name, _password in changed}, {person.pk})

    def test_sessions_hold_data_and_no_objects(self):
        """What a session holds is read as JSON, whoever has written it (CVE-2026-62644)."""
        self.sign_in(self.bob)
        store = self.client.session
        attack = signing.dumps("x", salt=store.key_salt, serializer=PickleSerializer, compress=True)
        Session.objects.filter(pk=store.session_key).update(session_data=attack)
        self.assertEqual(self.client.get("/account/").status_code, 302)
        self.assertFalse(ATTACKS)
