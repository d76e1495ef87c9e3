"""Used quota and counts of rows, which change by themselves, in the API and commands."""

import csv
import io
import json

from django.core.management import call_command

from domains.models import DomainState
from mailboxes.models import Usage
from mailboxes.services.tallies import recount_tallies
from tests.base import World

BOB = "bob@example.org"
MB = 1024000


class UsageValueTests(World):
    def setUp(self):
        Usage.objects.create(mailbox=self.bob, bytes=5 * MB // 2, messages=17)
        self.program = self.api(self.alice)

    def test_a_mailbox_has_its_usage(self):
        row = self.program.get(f"mailboxes/{BOB}").json()
        self.assertEqual((row["quota_used"], row["message_count"]), (2.5, 17))
        Usage.objects.all().delete()
        row = self.program.get("mailboxes").json()["items"][0]
        self.assertEqual((row["quota_used"], row["message_count"]), (0, 0))

    def test_a_domain_has_its_counts(self):
        recount_tallies()
        row = self.program.get("domains/example.org").json()
        state = DomainState.objects.get(pk="example.org")
        self.assertEqual(
            (row["mailbox_count"], row["alias_count"], row["quota_used"]),
            (state.mailboxes, state.aliases, 2.5),
        )
        self.assertEqual(row["quota_assigned"], state.quota_assigned / MB)

    def test_a_domain_without_counts(self):
        DomainState.objects.all().delete()
        self.assertEqual(self.program.get("domains/example.org").json()["mailbox_count"], 0)

    def test_new_mail_does_not_change_the_etag(self):
        before = self.program.get(f"mailboxes/{BOB}")
        Usage.objects.update(bytes=7 * MB, messages=18)
        self.assertEqual(self.program.get(f"mailboxes/{BOB}")["ETag"], before["ETag"])
        body = before.json() | {"name": "Bob B."}
        answer = self.program.patch(f"mailboxes/{BOB}", body, headers={"If-Match": before["ETag"]})
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual((answer.json()["name"], answer.json()["quota_used"]), ("Bob B.", 7))
        self.assertEqual(Usage.objects.get().messages, 18)

    def test_commands_print_it(self):
        output = io.StringIO()
        call_command("mailbox", "show", BOB, "--json", stdout=output)
        self.assertEqual(json.loads(output.getvalue())["message_count"], 17)

    def test_files_do_not_have_it(self):
        self.sign_in(self.alice)
        text = b"".join(self.client.get("/mailboxes/export/")).decode()
        self.assertNotIn("quota_used", next(csv.reader(io.StringIO(text.removeprefix("\ufeff")))))
