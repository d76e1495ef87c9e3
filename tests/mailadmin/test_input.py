"""Unusual input."""

from unittest import mock

from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from mailadmin.mails import messages, sending
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Vacation
from mailboxes.services.domains import create_domains
from tests.base import PASSWORD, World


class InputTests(World):
    def test_a_header_holds_one_line(self):
        self.sign_in(self.bob)
        data = {"subject": "hi\r\nBcc: victim@x.example", "body": "x\ny", "interval_time": "0"}
        data |= {"activefrom": "2030-01-01T00:00", "activeuntil": "2030-02-01T00:00"}
        self.assert_refused(
            self.client.post("/account/vacation/", data), "Line breaks are not allowed here"
        )
        self.assertFalse(Vacation.objects.exists())

    def test_invalid_dates_and_very_long_searches_do_not_fail(self):
        self.sign_in(self.root)
        for url in ("/log/?until=9999-12-31", "/log/?from=0001-01-01"):
            self.assertEqual(self.client.get(url).status_code, 200)
        for url in ("/search/", "/mailboxes/", "/log/"):
            self.assertEqual(self.client.get(url, {"q": "word " * 1200}).status_code, 200)

    def test_domains_are_found_by_unicode_name(self):
        self.perform(self.root, create_domains, [{"domain": "xn--mnchen-3ya.de"}])
        self.sign_in(self.root)
        for url in (
            "/domains/?q=münchen.de",
            "/search/?q=münchen.de",
            "/domains/pick/?q=münchen.de",
        ):
            self.assertContains(self.client.get(url), "xn--mnchen-3ya.de")
        page = self.client.get("/mailboxes/create/?domain=münchen.de")
        self.assertContains(page, '<option value="xn--mnchen-3ya.de" selected>')

    def test_a_conflict_shows_formatted_values(self):
        self.sign_in(self.alice)
        data = {"name": "R", "quota": "5", "active": "on", "seen": "of another day"}
        page = self.client.post("/mailboxes/bob@example.org/edit/", data)
        self.assertIn(("Quota", 100), page.context["form"].conflict)

    @override_settings(MAILADMIN_VACATION=False)
    def test_the_vacation_page_is_missing_when_vacations_are_disabled(self):
        for person, url in (
            (self.bob, "/account/vacation/"),
            (self.alice, "/mailboxes/bob@example.org/vacation/"),
        ):
            self.sign_in(person)
            self.assertEqual(self.client.get(url).status_code, 403)

    def test_smtp_runs_outside_any_transaction(self):
        self.sign_in(self.alice)
        data = {"local_part": "dave", "domain": "example.org", "quota": "5", "active": "on"}
        data |= {"password": PASSWORD, "password2": PASSWORD, "welcome_mail": "on"}
        self.client.post("/mailboxes/create/", data)
        depth = len(connection.savepoint_ids)
        seen = []
        build = messages.build_message

        def record(mail):
            seen.append(len(connection.savepoint_ids))
            return build(mail)

        with mock.patch.object(sending, "build_message", record):
            call_command("worker", once=True)
        self.assertEqual(seen, [depth])
        self.assertEqual(OutgoingMail.objects.get().state, "sent")
