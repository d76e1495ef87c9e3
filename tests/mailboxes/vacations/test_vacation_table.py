"""The table of vacation replies: pages, API, command, and the aliases of the mailboxes."""

import datetime
import io
import json

from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from mailboxes.models import Alias, Mailbox, Vacation, VacationNotification, vacation_target
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World
from tests.table_tests import TableTests

BOB, CAROL, DAN = "bob@example.org", "carol@example.com", "dan@example.org"
NEW = {
    "email": DAN,
    "active": "on",
    "subject": "Away",
    "body": "Back on Monday.",
    "activefrom": "2027-01-04T00:00",
    "activeuntil": "2037-01-10T23:59",
    "interval_time": "86400",
}


class VacationTests(TableTests, World):
    slug = "vacations"
    own_key, foreign_key, created_key = BOB, CAROL, DAN
    create_data = NEW
    api_data = NEW | {"active": True, "interval_time": 86400}
    create_verb = delete_verb = "edit_vacation"
    edit_data = {name: value for name, value in NEW.items() if name != "email"}
    edited = {"subject": "Away", "interval_time": 86400}

    def setUp(self):
        super().setUp()
        self.make("dan")
        for key in (BOB, CAROL):
            self.answer(key)

    def make(self, *names):
        rows = [{"local_part": name, "domain": self.bob.domain, "password": "x"} for name in names]
        self.perform(self.root, create_mailboxes, rows)

    def answer(self, key, **values):
        end = timezone.now() + datetime.timedelta(days=9)
        row = {"subject": "Gone", "body": "Later.", "activeuntil": end, "active": True}
        mailbox = Mailbox.objects.get(pk=key)
        return Vacation.objects.create(mailbox=mailbox, domain_id=mailbox.domain_id, **row | values)

    def more_rows(self, count):
        names = [f"x{number}" for number in range(count)]
        self.make(*names)
        for name in names:
            self.answer(f"{name}@example.org")

    def goto(self, key):
        return Alias.objects.get(pk=key).goto.split(",")

    def test_a_new_reply_is_in_the_alias(self):
        self.sign_in(self.alice)
        self.client.post(self.url("create"), NEW)
        self.assertEqual(self.goto(DAN), [vacation_target(DAN), DAN])
        again = self.client.post(self.url("create"), NEW)
        text = "The mailbox has a vacation reply already."
        self.assertEqual(again.context["form"].errors["email"], [text])

    def test_rows_that_are_switched_off_leave_the_alias(self):
        self.perform_api("patch", f"vacations/{BOB}", {"subject": "New"})
        self.assertEqual(self.goto(BOB), [vacation_target(BOB), BOB])
        VacationNotification.objects.create(vacation_id=BOB, notified="x@example.net")
        self.sign_in(self.alice)
        data = {"action": "deactivate", "keys": [BOB, CAROL], "confirmed": "1"}
        self.client.post(self.url("bulk"), data)
        self.assertEqual(self.goto(BOB), [BOB])
        self.assertFalse(VacationNotification.objects.exists())
        active = Vacation.objects.filter(active=True)
        self.assertEqual([row.pk for row in active], [CAROL])

    def test_a_deleted_reply_leaves_the_alias(self):
        self.perform_api("patch", f"vacations/{BOB}", {"subject": "New"})
        self.perform_api("delete", f"vacations/{BOB}")
        self.assertEqual(self.goto(BOB), [BOB])

    def perform_api(self, method, place, body=None):
        answer = self.api(self.alice).request(method, place, body)
        self.assertIn(answer.status_code, (200, 201, 204), answer.content)
        return answer

    def test_the_api_sets_many_at_once(self):
        self.make("x1", "x2")
        keys = [DAN, "x1@example.org", "x2@example.org"]
        self.perform_api("post", "vacations", [self.api_data | {"email": key} for key in keys])
        for key in keys:
            self.assertEqual(self.goto(key), [vacation_target(key), key])

    def test_periods_that_are_refused(self):
        program = self.api(self.alice)
        for values, text in (
            ({"activeuntil": "2027-01-03T00:00"}, "The end must not be before the start."),
            ({"activefrom": "2020-01-01T00:00", "activeuntil": "2020-01-02T00:00"}, "in the past"),
            ({"activeuntil": "2040-01-01T00:00"}, "up to the year 2037"),
        ):
            answer = program.post("vacations", self.api_data | values)
            self.assertIn(text, answer.json()["errors"]["activeuntil"][0])

    @override_settings(MAILADMIN_VACATION=False)
    def test_vacation_replies_can_be_disabled(self):
        self.sign_in(self.root)
        self.assertEqual(self.open("list").status_code, 403)
        self.assertEqual(self.api(self.alice).get("vacations").status_code, 403)

    def test_the_command(self):
        def call(*arguments):
            output = io.StringIO()
            call_command("vacation", *arguments, stdout=output)
            return output.getvalue()

        call("add", DAN, "--subject", "Away", "--body", "Later.", "--active")
        self.assertEqual(self.goto(DAN), [vacation_target(DAN), DAN])
        self.assertEqual(json.loads(call("show", DAN, "--json"))["subject"], "Away")
        call("edit", DAN, "--no-active")
        self.assertEqual(self.goto(DAN), [DAN])
        call("delete", DAN, "--yes")
        self.assertFalse(Vacation.objects.filter(pk=DAN).exists())
