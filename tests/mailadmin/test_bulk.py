"""Bulk actions."""

import html
import json
import re
from unittest import mock

from django.test import override_settings
from django.utils.translation import override

from domains.models import Domain
from mailadmin import registry
from mailadmin.jobs.models import Job
from mailadmin.translation import decode_text, encode_text
from mailboxes.models import Mailbox
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World


class BulkTests(World):
    def fill(self, prefix, count):
        domain = Domain.objects.get(pk="example.org")
        rows = [
            {"local_part": f"{prefix}{n:03}", "domain": domain, "password": "x", "quota": 1}
            for n in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)

    def test_a_bulk_action_applies_to_the_confirmed_rows(self):
        self.fill("m", 230)
        self.sign_in(self.alice)
        data = {"action": "delete", "all": "1"}
        page = self.client.post("/mailboxes/bulk/?domain=example.org", data)
        self.assertEqual(page.context["count"], 231)
        self.fill("late", 1)
        data = {"action": "delete", "kept": page.context["kept"], "confirmed": "1"}
        self.client.post("/mailboxes/bulk/?domain=example.org", data)
        self.assertEqual(Job.objects.get().total, 231)
        from django.core.management import call_command

        call_command("worker", once=True)
        left = Mailbox.objects.filter(domain="example.org").values_list("pk", flat=True)
        self.assertEqual(list(left), ["late000@example.org"])

    def test_a_selection_of_another_user_is_refused(self):
        self.fill("m", 230)
        self.sign_in(self.root)
        page = self.client.post("/mailboxes/bulk/", {"action": "delete", "all": "1"})
        self.sign_in(self.alice)
        for kept in (page.context["kept"], "x", "999999"):
            data = {"action": "delete", "kept": kept, "confirmed": "1"}
            self.client.post("/mailboxes/bulk/", data)
        self.assertEqual(Mailbox.objects.count(), 232)

    @override_settings(MAILADMIN_PAGE_SIZE=500)
    def test_more_than_two_hundred_selected_rows_are_confirmed_as_well(self):
        self.fill("m", 230)
        keys = [f"m{n:03}@example.org" for n in range(230)]
        self.sign_in(self.alice)
        page = self.client.post("/mailboxes/bulk/", {"action": "deactivate", "keys": keys})
        data = {"action": "deactivate", "kept": page.context["kept"], "confirmed": "1"}
        answer = self.client.post("/mailboxes/bulk/", data)
        self.assertRedirects(answer, f"/jobs/{Job.objects.get().pk}/")

    def test_messages_are_sentences_with_the_number_of_rows(self):
        self.fill("m", 3)
        self.sign_in(self.alice)
        keys = [f"m{n:03}@example.org" for n in range(3)]
        for action, count, question, done in (
            ("deactivate", 3, "Deactivate 3 mailboxes", "3 mailboxes deactivated."),
            ("activate", 1, "Activate 1 mailbox", "1 mailbox activated."),
            ("block_sending", 2, "Block sending for 2 mailboxes", "Sending blocked for 2 mailb"),
            ("delete", 3, "Delete 3 mailboxes", "3 mailboxes deleted."),
        ):
            data = {"action": action, "keys": keys[:count]}
            page = self.client.post("/mailboxes/bulk/", data)
            self.assertContains(page, f"<h1>{question}?</h1>")
            self.assertContains(page, f"{question}\n  </button>")
            page = self.client.post("/mailboxes/bulk/", data | {"confirmed": "1"}, follow=True)
            self.assertContains(page, done)

    def test_a_bulk_action_can_be_undone_for_the_rows_that_it_changed(self):
        self.fill("m", 3)
        Mailbox.objects.filter(pk="m000@example.org").update(active=False)
        self.sign_in(self.alice)
        keys = [f"m{n:03}@example.org" for n in range(3)]
        data = {"action": "deactivate", "confirmed": "1", "keys": keys}
        page = self.client.post("/mailboxes/bulk/?q=m0", data, follow=True)
        match = re.search(r'data-post="([^"]+)" data-values="([^"]+)"', page.text)
        undo = json.loads(html.unescape(match[2]))
        self.assertEqual(undo["keys"], keys[1:])
        answer = self.client.post(match[1], undo)
        self.assertRedirects(answer, "/mailboxes/?q=m0")
        active = Mailbox.objects.filter(pk__in=keys, active=True)
        self.assertEqual(list(active.values_list("pk", flat=True)), keys[1:])

    def test_every_table_names_its_rows(self):
        for table in registry.tables.values():
            if "bulk" in table.roles:
                name = str(table.model._meta.verbose_name)
                self.assertEqual(table.format_count(1).lower(), f"1 {name}".lower())
                self.assertNotEqual(table.format_count(2), f"2 {name}")

    def test_counts_are_in_the_number_format_of_the_reader(self):
        text = registry.tables["mailboxes"].format_count(1500)
        self.assertEqual(text, "1,500 mailboxes")
        self.assertEqual(decode_text(encode_text(text)), text)
        with override("de"):
            self.assertEqual(decode_text(encode_text(text)), "1.500 Postfächer")

    def test_the_title_of_a_job_is_in_the_language_of_the_reader(self):
        self.fill("m", 230)
        self.sign_in(self.alice)
        self.client.post("/mailboxes/bulk/?q=m", {"action": "delete", "all": "1"})
        draft = Job.objects.get()
        data = {"action": "delete", "kept": draft.pk, "confirmed": "1"}
        with mock.patch("django.utils.translation.ngettext", lambda one, many, n: f"# {many}"):
            self.client.post("/mailboxes/bulk/", data)
            self.assertEqual(Job.objects.get().title, "Delete # 231 mailboxes")
        self.assertEqual(Job.objects.get().title, "Delete 231 mailboxes")
