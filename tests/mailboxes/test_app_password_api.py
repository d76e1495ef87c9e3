"""App passwords by the API."""

import datetime
import time

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import AppPassword, AppPasswordLimits, LastLogin
from mailboxes.services.app_password_hashes import hash_app_password
from tests.mailboxes.app_password_world import ALL, BOB, CAROL, PHONE, AppPasswordWorld


class ApiTests(AppPasswordWorld):
    def test_a_generated_one_has_its_limits(self):
        row = self.api(self.alice).get(f"app-passwords/{self.own.pk}").json()
        created = timezone.localtime(AppPasswordLimits.objects.get(pk=self.own.pk).created)
        self.assertEqual(
            row,
            {
                "id": self.own.pk,
                "mailbox": BOB,
                "description": "Laptop",
                "kind": "generated",
                "protocols": ["imap", "smtp", "sieve"],
                "networks": ["192.0.2.0/24"],
                "expires": "",
                "created": created.isoformat(),
                "last_used": None,
            },
        )

    def test_one_of_postfixadmin_has_none(self):
        row = self.api(self.alice).get(f"app-passwords/{self.typed.pk}").json()
        self.assertEqual((row["kind"], row["protocols"]), ("postfixadmin", ALL))
        self.assertEqual((row["networks"], row["expires"], row["created"]), ([], "", None))

    def test_the_last_use_is_a_value(self):
        now = int(time.time())
        for protocol, age in (("pop3", 90), ("imap", 5)):
            LastLogin.objects.create(
                mailbox_id=BOB, protocol=protocol, app_password=self.own.pk, at=now - age
            )
        LastLogin.objects.create(mailbox_id=BOB, protocol="imap", app_password=0, at=now)
        place = f"app-passwords/{self.own.pk}"
        used = datetime.datetime.fromisoformat(self.api(self.alice).get(place).json()["last_used"])
        self.assertEqual(int(used.timestamp()), now - 5)
        with override_settings(MAILADMIN_LAST_LOGIN_DAYS=0):
            self.assertIsNone(self.api(self.alice).get(place).json()["last_used"])

    def test_lists_are_filtered_by_domain_mailbox_and_text(self):
        def names(person, **query):
            answer = self.api(person).get("app-passwords", **query)
            self.assertEqual(answer.status_code, 200, answer.content)
            return [(row["mailbox"], row["description"]) for row in answer.json()["items"]]

        laptop, typed, foreign = (BOB, "Laptop"), (BOB, "Typed"), (CAROL, "Laptop")
        self.assertEqual(names(self.root), [laptop, foreign, typed])
        self.assertEqual(names(self.alice), [laptop, typed])
        self.assertEqual(names(self.root, domain="example.com"), [foreign])
        self.assertEqual(names(self.root, mailbox="Bob@example.org"), [laptop, typed])
        self.assertEqual(names(self.root, mailbox="ж\N{PILE OF POO}@example.org"), [])
        self.assertEqual(names(self.alice, mailbox=CAROL), [])
        self.assertEqual(names(self.root, q="Typ"), [typed])
        self.assertEqual(self.api(self.root).get("app-passwords", active="1").status_code, 422)

    def test_a_token_of_some_domains_sees_theirs(self):
        program = self.api(self.root, domains=["example.com"])
        rows = program.get("app-passwords").json()["items"]
        self.assertEqual([row["mailbox"] for row in rows], [CAROL])
        self.assertEqual(program.get(f"app-passwords/{self.own.pk}").status_code, 404)
        self.assertEqual(program.post("app-passwords", PHONE).status_code, 422)
        reader = self.api(self.alice, verbs=["read"])
        self.assertEqual(reader.post("app-passwords", PHONE).status_code, 403)
        other = self.api(self.alice, tables=["mailboxes"])
        self.assertEqual(other.get("app-passwords").status_code, 403)

    def test_foreign_ones_are_not_found(self):
        program, place = self.api(self.alice), f"app-passwords/{self.foreign.pk}"
        self.assertEqual(program.get(place).status_code, 404)
        self.assertEqual(program.patch(place, {"protocols": ["imap"]}).status_code, 404)
        self.assertEqual(program.delete(place).status_code, 404)
        answer = program.post("app-passwords", PHONE | {"mailbox": CAROL})
        self.assertEqual((answer.status_code, list(answer.json()["errors"])), (422, ["mailbox"]))
        rows = [{"id": self.own.pk, "protocols": ["imap"]}, {"id": self.foreign.pk}]
        self.assertEqual(program.patch("app-passwords", rows).status_code, 422)
        self.assertEqual(AppPassword.objects.count(), 3)

    def test_creating_one_answers_its_password(self):
        tomorrow = timezone.localdate() + datetime.timedelta(days=1)
        limits = {"protocols": ["smtp"], "networks": ["192.0.2.7"], "expires": str(tomorrow)}
        answer = self.api(self.alice).post("app-passwords", PHONE | limits)
        self.assertEqual(answer.status_code, 201, answer.content)
        self.assertIn("no-store", answer["Cache-Control"])
        made = answer.json()
        row = AppPassword.objects.get(pk=made["id"])
        self.assertEqual(row.password_hash, hash_app_password(made.pop("password")))
        self.assertEqual(
            {name: made[name] for name in limits}, limits | {"networks": ["192.0.2.7/32"]}
        )
        there = self.api(self.alice).get(f"app-passwords/{row.pk}")
        self.assertEqual((there.json(), there["ETag"]), (made, answer["ETag"]))
        self.assertEqual(answer["Location"], f"/api/v1/app-passwords/{row.pk}")
        self.assertIn(("add_app_password", "example.org", BOB), self.logged())

    def test_the_owner_gets_the_mail_of_the_page(self):
        self.api(self.alice).post("app-passwords", PHONE)
        mail = OutgoingMail.objects.get(kind="app_password_added")
        values = unseal_values(mail.sealed_values)
        self.assertEqual((mail.recipient, values["what"]), (BOB, "Phone"))
        self.assertIn("token", values["address"])

    def test_refusals(self):
        program = self.api(self.alice)
        for values, status, names in (
            ({"description": "Laptop"}, 409, ["description"]),
            ({"description": ""}, 422, ["description"]),
            ({"protocols": []}, 422, ["protocols"]),
            ({"protocols": ["ftp"]}, 422, ["protocols"]),
            ({"protocols": "imap"}, 422, ["protocols"]),
            ({"networks": ["office"]}, 422, ["networks"]),
            ({"expires": "2020-01-01"}, 422, ["expires"]),
            ({"password": "of-my-own-42"}, 422, ["password"]),
            ({"password_hash": "{PLAIN}x"}, 422, ["password_hash"]),
        ):
            with self.subTest(values=values):
                answer = program.post("app-passwords", PHONE | values)
                self.assertEqual(answer.status_code, status, answer.content)
                self.assertEqual(list(answer.json()["errors"]), names)
        self.assertEqual(AppPassword.objects.count(), 3)

    def test_many_are_created_or_none(self):
        program = self.api(self.root)
        rows = [PHONE, {"mailbox": CAROL, "description": "Phone"}, PHONE]
        answer = program.post("app-passwords", rows)
        self.assertEqual(answer.status_code, 422, answer.content)
        self.assertEqual([item["index"] for item in answer.json()["items"]], [2])
        self.assertEqual((AppPassword.objects.count(), OutgoingMail.objects.count()), (3, 0))
        made = program.post("app-passwords", rows[:2]).json()["items"]
        for each in made:
            row = AppPassword.objects.get(pk=each["id"])
            self.assertEqual(row.password_hash, hash_app_password(each["password"]))
            self.assertEqual(each["protocols"], ALL)
        self.assertEqual(OutgoingMail.objects.count(), 2)

    def test_limits_are_edited_and_sent_back(self):
        program, place = self.api(self.alice), f"app-passwords/{self.own.pk}"
        before = program.get(place)
        answer = program.patch(place, {"protocols": ["imap"]})
        self.assertEqual(answer.json(), before.json() | {"protocols": ["imap"]})
        self.assertEqual(program.patch(place, answer.json()).json(), answer.json())
        stale = {"If-Match": before["ETag"]}
        self.assertEqual(program.patch(place, {"protocols": ALL}, headers=stale).status_code, 412)
        fresh = {"If-Match": answer["ETag"]}
        self.assertEqual(program.patch(place, {"protocols": ALL}, headers=fresh).status_code, 200)
        for values in ({"description": "Other"}, {"mailbox": CAROL}, {"password": "x"}):
            self.assertEqual(program.patch(place, values).status_code, 422, values)
        rows = [{"id": self.own.pk, "networks": []}]
        self.assertEqual(program.patch("app-passwords", rows).json()["items"][0]["networks"], [])
        self.assertEqual(self.logged().count(("edit_app_password", "example.org", BOB)), 3)
        self.own.refresh_from_db()
        self.assertEqual(self.own.password_hash, hash_app_password(self.own_text))

    def test_one_of_postfixadmin_has_nothing_to_edit(self):
        program, place = self.api(self.alice), f"app-passwords/{self.typed.pk}"
        answer = program.patch(place, {"protocols": ["imap"]})
        self.assertEqual(answer.status_code, 422)
        self.assertIn("Only app passwords that were generated here", str(answer.json()))
        self.assertFalse(AppPasswordLimits.objects.filter(pk=self.typed.pk).exists())

    def test_an_app_password_is_revoked(self):
        program = self.api(self.alice)
        for row in (self.own, self.typed):
            self.assertEqual(program.delete(f"app-passwords/{row.pk}").status_code, 204)
        self.assertEqual(list(AppPassword.objects.all()), [self.foreign])
        self.assertEqual(AppPasswordLimits.objects.count(), 1)
        self.assertEqual(self.logged().count(("delete_app_password", "example.org", BOB)), 2)

    def test_many_rows_cost_no_more_queries(self):
        program = self.api(self.alice)

        def cost():
            with CaptureQueriesContext(connection) as captured:
                self.assertEqual(program.get("app-passwords").status_code, 200)
            return len(captured)

        cost()
        few = cost()
        for number in range(30):
            self.generate(BOB, f"Device {number}")
        self.assertEqual(cost(), few)
