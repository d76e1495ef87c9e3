"""One vacation reply for many mailboxes, by an action on selected rows."""

from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from mailadmin.jobs.models import Job
from mailboxes.models import Alias, Vacation, vacation_target
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World

BOB, CAROL, DAN = "bob@example.org", "carol@example.com", "dan@example.org"
REPLY = {
    "active": "on",
    "subject": "Works holidays",
    "body": "We are back in January.",
    "activefrom": "2026-12-24T00:00",
    "activeuntil": "2037-01-02T23:59",
    "interval_time": "0",
}
ACTION = {"action": "set_vacation", "confirmed": "1"}


class BulkVacationTests(World):
    def setUp(self):
        self.make("dan")
        self.sign_in(self.alice)

    def make(self, *names):
        rows = [{"local_part": name, "domain": self.bob.domain, "password": "x"} for name in names]
        self.perform(self.root, create_mailboxes, rows)

    def post(self, keys=(BOB, DAN), **values):
        return self.client.post("/mailboxes/bulk/", ACTION | REPLY | {"keys": keys} | values)

    def subjects(self):
        return dict(Vacation.objects.values_list("pk", "subject"))

    def test_the_confirmation_asks_for_the_reply(self):
        page = self.client.post(
            "/mailboxes/bulk/", {"action": "set_vacation", "keys": [BOB, CAROL, DAN]}
        )
        self.assertContains(page, "Set a vacation reply for 2 mailboxes")
        self.assertContains(page, 'name="subject"')
        self.assertFalse(Vacation.objects.exists())

    def test_a_reply_is_set_for_all_that_were_selected(self):
        Vacation.objects.create(mailbox=self.bob, domain_id="example.org", subject="x", body="y")
        self.post([BOB, CAROL, DAN])
        self.assertEqual(self.subjects(), dict.fromkeys([BOB, DAN], "Works holidays"))
        for key in (BOB, DAN):
            self.assertEqual(Alias.objects.get(pk=key).goto, f"{vacation_target(key)},{key}")

    def test_wrong_values_change_nothing(self):
        page = self.post(activeuntil="2026-12-01T00:00")
        self.assertContains(page, "The end must not be before the start.", status_code=422)
        self.assertContains(page, "We are back in January.", status_code=422)
        self.assertFalse(Vacation.objects.exists())

    def test_many_are_done_by_a_job(self):
        names = [f"x{number}" for number in range(250)]
        self.make(*names)
        data = {"action": "set_vacation", "all": "1"}
        page = self.client.post("/mailboxes/bulk/", data)
        kept = page.context["kept"]
        wrong = self.client.post("/mailboxes/bulk/", ACTION | {"kept": kept})
        self.assertEqual(wrong.status_code, 422)
        self.client.post("/mailboxes/bulk/", ACTION | REPLY | {"kept": kept})
        self.assertFalse(Vacation.objects.exists())
        call_command("worker", once=True)
        self.assertEqual(
            set(self.subjects()), {BOB, DAN, *(f"{name}@example.org" for name in names)}
        )
        self.assertEqual(Job.objects.filter(state=Job.State.DONE).count(), 1)

    def test_each_row_costs_no_more_than_the_change_of_its_alias(self):
        self.make(*(f"x{number}" for number in range(60)))
        keys = [f"x{number}@example.org" for number in range(60)]
        counts = []
        for part in (keys[:2], keys[2:52]):
            with CaptureQueriesContext(connection) as queries:
                self.post(part)
            counts.append(len(queries))
        self.assertEqual(counts[1] - counts[0], 48)

    @override_settings(MAILADMIN_VACATION=False)
    def test_it_is_not_offered_where_vacation_replies_are_disabled(self):
        self.assertNotContains(self.client.get("/mailboxes/"), "set_vacation")
        self.post()
        self.assertFalse(Vacation.objects.exists())
