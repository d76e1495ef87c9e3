"""The first hit taken for the account (CVE-2026-114715): `_`, `%` and parts of names find nobody.

Also loose comparison (CVE-2026-26279): what a database or a program equates is not the same name.
"""

import io
import ipaddress

from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from mailadmin.accounts.models import LoginFailure
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Alias, Mailbox
from tests.base import PASSWORD, ApiClient
from tests.mailadmin.login_world import SECRET
from tests.mailadmin.recovery_world import RecoveryWorld

NAMES = ["b_b@example.org", "_ob@example.org", "bo%", "%", "%@example.org", "bob@example.or_"]
NAMES += ["bob@%", "bob@*", "*", "bob", "bob@example", "ob@example.org", "bob@example.org.", "@"]
NAMES += ["bób@example.org", "bob@example.org\x00", "bob@example.org ,x", "b\\ob@example.org", "_"]
NAMES += ["bob@example.org\u00a0x", "0", "bob@example.org;carol@example.com", "^bob", "b?b", "b.b"]
# Where rows are named, a domain may end with a dot.
NORMALIZED = [name for name in NAMES if not name.endswith(".")]
PROXY = "10.0.0.1"
BY_PROXY = {
    "MAILADMIN_SIGN_IN_HEADER": "X-Remote-User",
    "MAILADMIN_TRUSTED_PROXIES": (ipaddress.ip_network("10.0.0.0/8"),),
}


class ExactNameTests(RecoveryWorld):
    def test_only_the_exact_name_signs_in(self):
        for name in NAMES:
            LoginFailure.objects.all().delete()  # or the limit would refuse it
            client = Client()
            response = self.log_in(name, PASSWORD, client=client)
            self.assertEqual((name, response.status_code), (name, 200))
            self.assertFalse(self.is_logged_in(client), name)

    def test_only_the_exact_name_is_sent_a_link(self):
        for name in NAMES:
            LoginFailure.objects.all().delete()
            self.ask(name)
            self.assertFalse(OutgoingMail.objects.exists(), name)
        self.assertFalse(Mailbox.objects.exclude(token="").exists())
        self.ask("bob@example.org")
        self.assertTrue(OutgoingMail.objects.exists())

    @override_settings(**BY_PROXY)
    def test_only_the_exact_name_is_signed_in_by_a_proxy(self):
        for name in NAMES:
            LoginFailure.objects.all().delete()
            client = Client(headers={"X-Remote-User": name}, REMOTE_ADDR=PROXY)
            client.get("/login/", follow=True)
            self.assertNotIn("_auth_user_id", client.session, name)

    def test_only_the_exact_key_opens_a_row(self):
        program = self.api(self.root)
        self.sign_in(self.root)
        for name in NORMALIZED:
            for answer in (
                program.get(f"mailboxes/{name}"),
                program.delete(f"mailboxes/{name}"),
                program.delete(f"domains/{name.replace('bob@', '')}"),
            ):
                self.assertIn(answer.status_code, (404, 405), name)
        for table in ("mailboxes", "aliases", "domains", "admins"):
            data = {"action": "delete", "keys": NORMALIZED, "confirmed": "1", "confirm": "1"}
            self.client.post(f"/{table}/bulk/", data)
        self.assertEqual(Mailbox.objects.count(), 2)
        self.assertTrue(Alias.objects.filter(pk="info@example.org").exists())

    def test_only_the_exact_token_opens_the_api(self):
        token = self.token(self.alice)
        head, _underscore, secret = token.partition("_")
        wrong = [token[:-1], f"{token[:-1]}_", f"{head}_%", f"{head}_", "%", "_", token.swapcase()]
        wrong += [f"{token}x", f"x{token}", f"{head}%{secret}", f"{head}_{'_' * len(secret)}", "0"]
        for text in wrong:
            self.assertEqual(ApiClient(text).get("mailboxes").status_code, 401, text)
        self.assertEqual(ApiClient(token).get("mailboxes").status_code, 200)

    def test_the_command_line_finds_only_the_exact_name(self):
        Mailbox.objects.update(totp_secret=SECRET)
        for name in NORMALIZED:
            for command in (("mailbox", "show", name), ("mailbox", "delete", name, "--yes")):
                with self.assertRaises(CommandError, msg=command):
                    call_command(*command, stdout=io.StringIO())
            with self.assertRaises(CommandError, msg=name):
                call_command("reset-factors", name, stdout=io.StringIO())
        self.assertEqual(Mailbox.objects.filter(totp_secret=SECRET).count(), 2)


class SearchTests(RecoveryWorld):
    """What is searched for is text, not a pattern of SQL."""

    FOUND = ("under_score@example.org", "per%cent@example.org", "back\\slash@example.org")
    SIMILAR = ("underxscore@example.org", "perxxcent@example.org", "backxslash@example.org")

    def setUp(self):
        super().setUp()
        for name in (*self.FOUND, *self.SIMILAR):
            row = {"domain": self.bob.domain, "goto": "bob@example.org"}
            Alias.objects.create(address=name, **row)

    def test_underscores_percents_and_backslashes_stand_for_themselves(self):
        self.sign_in(self.alice)
        program = self.api(self.alice)
        for found, similar in zip(self.FOUND, self.SIMILAR, strict=True):
            text = found.partition("@")[0]
            for shown in (
                self.client.get("/aliases/", {"q": text}).content.decode(),
                self.client.get("/search/", {"q": text}).content.decode(),
                program.get("aliases", q=text).content.decode(),
                b"".join(self.client.get("/aliases/export/", {"q": text})).decode(),
            ):
                self.assertIn(found.replace("\\", "").partition("@")[2], shown, text)
                self.assertNotIn(similar, shown, text)

    def test_an_alias_of_such_a_name_is_that_of_nobody_else(self):
        """To delete `under_score` leaves `underxscore` and what points to it."""
        self.sign_in(self.alice)
        for name in self.FOUND[:2]:
            self.client.post("/aliases/bulk/", {"action": "delete", "keys": [name], "confirmed": 1})
            self.assertFalse(Alias.objects.filter(pk=name).exists(), name)
        for name in self.SIMILAR:
            self.assertTrue(Alias.objects.filter(pk=name).exists(), name)
