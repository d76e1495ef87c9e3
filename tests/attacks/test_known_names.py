"""Time tells who exists (django-allauth 65.3): the panel does the same work for every name.

What is counted is work, not seconds: verifications of hashes, and statements of the database.
"""

import re
from unittest import mock

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mailadmin import passwords
from mailadmin.accounts.models import LoginFailure
from mailboxes.models import Mailbox
from tests.mailadmin.login_world import SECRET
from tests.mailadmin.recovery_world import RecoveryWorld

KNOWN = ["bob@example.org", "carol@example.com", "root@example.net", "alice@example.org"]
# On MySQL a name that the column cannot hold is not looked for: nobody can have it.
UNKNOWN = ["nobody@example.org", "nobody@nowhere.example", "%", "' OR 1=1 --"]
WRONG = "no-password-42"


class KnownNameTests(RecoveryWorld):
    def count_work(self, url, **data):
        """Return the status, the verifications and the statements of one request."""
        LoginFailure.objects.all().delete()
        client, hashed = Client(), []
        verify = passwords._verify_candidates

        def count(password, stored, *more):
            hashed.append(re.findall(r"\$2[aby]\$(\d\d)\$", stored))
            return verify(password, stored, *more)

        with (
            mock.patch.object(passwords, "_verify_candidates", side_effect=count),
            CaptureQueriesContext(connection) as queries,
        ):
            status = client.post(url, data).status_code
        found = [re.split(r"WHERE|VALUES|SET", query["sql"])[0] for query in queries]
        return status, hashed, found

    def assert_same_work(self, url, **data):
        self.count_work(url, username="warm@up.example", **data)  # what is computed once
        expected = self.count_work(url, username="nobody@elsewhere.example", **data)
        for name in (*KNOWN, *UNKNOWN):
            with self.subTest(name=name):
                self.assertEqual(self.count_work(url, username=name, **data), expected)
        return expected

    def test_a_wrong_password_costs_the_same_for_every_name(self):
        _status, hashed, _statements = self.assert_same_work("/login/", password=WRONG)
        self.assertEqual(len(hashed), 2)  # the admin and the mailbox of the name

    def test_so_it_is_with_a_second_factor_or_an_inactive_account(self):
        Mailbox.objects.filter(pk="bob@example.org").update(totp_secret=SECRET)
        Mailbox.objects.filter(pk="carol@example.com").update(active=False)
        self.assert_same_work("/login/", password=WRONG)

    def test_so_it_is_with_an_invited_person_who_has_no_password(self):
        Mailbox.objects.update(password=passwords.UNUSABLE_HASH)
        _status, hashed, _statements = self.count_work("/login/", username=KNOWN[0], password=WRONG)
        self.assertGreaterEqual(len(hashed), 2)

    def test_a_forgotten_password_costs_the_same_for_every_name(self):
        _status, hashed, _statements = self.assert_same_work("/login/forgot/")
        self.assertEqual(hashed, [])

    def test_answers_to_wrong_passwords_are_the_same(self):
        pages = set()
        for name in (*KNOWN, "nobody@example.org"):
            LoginFailure.objects.all().delete()
            page = Client().post("/login/", {"username": name, "password": WRONG}).content.decode()
            pages.add(re.sub(r'"[^"]{64}"', "", page).replace(name, ""))
        self.assertEqual(len(pages), 1)
