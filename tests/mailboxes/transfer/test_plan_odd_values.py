"""Plans of imports: odd values."""

from domains.models import MAX_QUOTA_MB
from tests.mailboxes.transfer.base import TransferWorld


class OddValueTests(TransferWorld):
    def test_the_maximum_quota_of_a_domain_is_that_of_its_form(self):
        plan = self.json_plan(
            {
                "domains": [
                    {"domain": "large.example", "quota": MAX_QUOTA_MB, "maxquota": MAX_QUOTA_MB},
                    {"domain": "huge.example", "quota": MAX_QUOTA_MB + 1},
                    {"domain": "vast.example", "maxquota": MAX_QUOTA_MB + 1},
                ]
            }
        )
        verbs = {"large.example": "new", "huge.example": "refused", "vast.example": "refused"}
        self.assertEqual(self.verbs(plan), verbs)

    def test_values_of_a_wrong_kind_are_refused_and_nothing_breaks(self):
        odd = [
            None,
            True,
            -7,
            10**30,
            "",
            " ",
            "\x07",
            [],
            ["a"],
            {},
            {"a": 1},
            "é",
            "ж" * 300,
            "1e9",
            [[]],
            [1],
        ]
        columns = {
            "mailboxes": [
                "username",
                "quota",
                "name",
                "active",
                "maildir",
                "password_hash",
                "password_expiry",
            ],
            "aliases": ["address", "goto", "active"],
            "domains": ["domain", "quota", "transport"],
            "admins": ["username", "domains"],
            "transports": ["pattern", "transport"],
            "vacations": ["email", "body", "activefrom"],
            "dkim-signings": ["author", "selector"],
            "fetchmail": ["mailbox", "poll_time"],
            "totp-exceptions": ["ip"],
        }
        good = {
            "mailboxes": {"username": "ann@example.org"},
            "aliases": {"address": "x@example.org", "goto": "a@b.example"},
            "domains": {"domain": "example.net"},
            "admins": {"username": "eve@example.org"},
            "transports": {"pattern": "example.net", "transport": "smtp:"},
            "vacations": {"email": "bob@example.org", "subject": "s", "body": "b"},
            "dkim-signings": {
                "author": "example.org",
                "domain_name": "example.org",
                "selector": "s",
            },
            "fetchmail": {"mailbox": "bob@example.org", "src_server": "s", "src_user": "u"},
            "totp-exceptions": {"ip": "192.0.2.1"},
        }
        for table, names in columns.items():
            for name in names:
                for value in odd:
                    with self.subTest(table=table, name=name, value=value):
                        self.apply(self.json_plan({table: [good[table] | {name: value}]}))
