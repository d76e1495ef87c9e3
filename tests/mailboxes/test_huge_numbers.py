"""Numbers of other programs that overflow sums."""

from django.core.management import call_command

from domains.models import MAX_QUOTA_MB, Domain, DomainState
from mailadmin.db.aggregates import MAX_SUM
from mailboxes.models import Mailbox, Usage
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.services.tallies import recount_tallies
from tests.base import World

HUGE = 2**62


class HugeNumberTests(World):
    def setUp(self):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"m{number}", "domain": domain, "password": "x", "quota": 1}
            for number in range(10)
        ]
        self.perform(self.root, create_mailboxes, rows)

    def write_elsewhere(self, size=HUGE):
        """Give every mailbox of the domain a quota that the panel would refuse."""
        Mailbox.objects.filter(domain="example.org").update(quota=size)

    def test_tallies_are_capped_at_the_largest_number(self):
        self.write_elsewhere()
        for key in Mailbox.objects.filter(domain="example.org").values_list("pk", flat=True):
            Usage.objects.create(pk=key, bytes=HUGE, messages=1)
        recount_tallies()
        state = DomainState.objects.get(pk="example.org")
        self.assertEqual((state.quota_assigned, state.quota_used), (MAX_SUM, MAX_SUM))
        self.assertEqual(DomainState.objects.get(pk="example.com").quota_assigned, 100 * 1024000)

    def test_housekeeping_succeeds(self):
        self.write_elsewhere()
        with self.assertNoLogs("mailadmin.worker", "ERROR"):
            call_command("worker", once=True)

    def test_every_page_of_the_domain_opens(self):
        """Limits are computed for a domain with a quota, so its quota is as large."""
        self.write_elsewhere()
        for quota in (0, 5000, 2**43):
            Domain.objects.filter(pk="example.org").update(quota=quota, maxquota=0)
            recount_tallies()
            self.sign_in(self.root)
            self.assertEqual(self.client.get("/domains/example.org/edit/").status_code, 200)
            for person in (self.root, self.alice):
                self.sign_in(person)
                for page in (
                    "/",
                    "/domains/",
                    "/domains/example.org/",
                    "/mailboxes/?domain=example.org",
                    "/mailboxes/create/?domain=example.org",
                    "/mailboxes/bob@example.org/edit/",
                    "/mailboxes/room/?domain=example.org",
                    "/search/?q=bob",
                ):
                    with self.subTest(page=page, quota=quota, person=person.pk):
                        self.assertEqual(self.client.get(page).status_code, 200)

    def test_the_api_works(self):
        self.write_elsewhere()
        Domain.objects.filter(pk="example.org").update(quota=5000)
        program = self.api(self.alice)
        for place in ("mailboxes", "domains", "mailboxes/bob@example.org"):
            self.assertEqual(program.get(place).status_code, 200)
        row = {"local_part": "dora", "domain": "example.org", "password": "correct-horse-42"}
        answer = program.post("mailboxes", row | {"quota": 10})
        self.assertEqual(answer.status_code, 422, answer.content)
        self.assertIn("quota", answer.json()["errors"])

    def test_ten_mailboxes_of_the_largest_quota_are_accepted(self):
        Domain.objects.filter(pk="example.org").update(quota=0, maxquota=0)
        program = self.api(self.alice)
        for number in range(10):
            row = {"local_part": f"l{number}", "domain": "example.org", "quota": MAX_QUOTA_MB}
            answer = program.post("mailboxes", row | {"password": "correct-horse-42"})
            self.assertEqual(answer.status_code, 201, answer.content)
        call_command("worker", once=True)
        self.assertEqual(program.get("mailboxes").status_code, 200)

    def test_a_larger_quota_is_refused_with_the_maximum(self):
        program = self.api(self.root)
        for place, field in (
            ("mailboxes/bob@example.org", "quota"),
            ("domains/example.org", "quota"),
            ("domains/example.org", "maxquota"),
        ):
            for size in (MAX_QUOTA_MB + 1, 2**40, 2**63, 10**30):
                answer = program.patch(place, {field: size})
                self.assertEqual(answer.status_code, 422, answer.content)
                self.assertIn(field, answer.json()["errors"])
