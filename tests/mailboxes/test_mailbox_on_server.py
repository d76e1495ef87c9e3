"""Status of the mail server on the mailbox page."""

import datetime
from unittest import mock

from django.utils import timezone
from django.utils.translation import override

from mailadmin.translation import gettext, gettext_lazy
from mailboxes.mailserver import views as mailserver_views
from mailboxes.mailserver.verifier.command import store_report
from mailboxes.mailserver.verifier.comparing import Difference
from mailboxes.mailserver.verifier.programs import ServerUnavailable
from mailboxes.mailserver.verifier.report import VerificationReport
from mailboxes.models import Alias, Mailbox, Verification
from tests.base import World

URL = "/mailboxes/bob@example.org/seen/"


class VerificationStatusTests(World):
    def setUp(self):
        self.sign_in(self.root)
        long_ago = timezone.now() - datetime.timedelta(days=1)
        Mailbox.objects.filter(pk=self.bob.pk).update(modified=long_ago)

    def seen(self, reply="250 2.1.5 Ok"):
        with mock.patch.object(mailserver_views, "probe_recipient", return_value=reply):
            return self.client.get(URL)

    def test_a_complete_check_is_shown_as_success(self):
        Verification.objects.create(rows=3)
        self.assertContains(self.seen(), "No differences at the last check")

    def test_an_incomplete_check_is_ignored(self):
        for more in ({"trouble": "Postfix: /etc/postfix/main.cf does not exist"}, {"total": 5000}):
            Verification.objects.all().delete()
            Verification.objects.create(**more)
            self.assertNotContains(self.seen(), "No differences")
            self.assertContains(self.seen(), "was incomplete")

    def test_a_check_older_than_the_last_change_is_ignored(self):
        Verification.objects.create(rows=3)
        Mailbox.objects.filter(pk=self.bob.pk).update(
            modified=timezone.now() + datetime.timedelta(seconds=5)
        )
        self.assertContains(self.seen(), "older than the last change")

    def test_a_check_of_another_domain_is_ignored(self):
        Verification.objects.create(rows=3, domain="example.com")
        self.assertContains(self.seen(), "has not been run yet")

    def test_differences_are_listed(self):
        entry = {"key": self.bob.pk, "asked": "virtual_mailbox_maps", "expected": "x/", "found": ""}
        Verification.objects.create(differences=[entry], total=1)
        self.assertContains(self.seen(), "virtual_mailbox_maps: expected x/, found –")

    def test_differences_of_its_domain_and_server_are_included(self):
        entry = {"asked": "x", "expected": "this", "found": "that"}
        mine = ("main.cf", "master.cf: smtp", "example.org", "@example.org", "*", "{PLAIN}")
        others = ("carol@example.com", "example.com", "info@example.org")
        found = [entry | {"key": key} for key in (*mine, *others)]
        Verification.objects.create(differences=found, total=len(found))
        page = self.seen()
        for key in mine:
            self.assertContains(page, f"{key}, x: expected this, found that")
        for key in others:
            self.assertNotContains(page, f"{key}, x")
        self.assertNotContains(page, "No differences")

    def test_the_reply_of_postfix_is_compared(self):
        self.assertContains(self.seen(), "Postfix accepts mail for this mailbox")
        self.assertContains(self.seen("550 5.1.1 unknown"), "Postfix disagrees with the panel")
        for model in (Mailbox, Alias):
            model.objects.filter(pk=self.bob.pk).update(active=False)
        self.assertContains(self.seen("550 5.2.1 off"), "as expected")
        self.assertContains(self.seen(), "Postfix disagrees with the panel")

    def test_a_loop_is_refused_after_rcpt(self):
        Alias.objects.filter(pk=self.bob.pk).update(goto="info@example.org")
        self.assertContains(self.seen(), "Postfix accepts mail for this mailbox")

    def test_an_unreachable_server_is_not_an_error(self):
        with mock.patch.object(
            mailserver_views,
            "probe_recipient",
            side_effect=mailserver_views.ProbeError("mail.test:25: no"),
        ):
            self.assertContains(
                self.client.get(URL), "The mail server did not answer (mail.test:25: no)"
            )

    def test_stored_differences_are_in_the_language_of_the_reader(self):
        with override("de"):
            reason = gettext("%(path)s does not exist") % {"path": "main.cf"}
            difference = Difference(self.bob.pk, gettext_lazy("vacation reply"), "x", reason)
            report = VerificationReport(differences=[difference])
            report.fail("Postfix", ServerUnavailable(reason))
            store_report(report, "")
        self.assertContains(self.seen(), "vacation reply:")
        self.assertContains(self.seen(), "found main.cf does not exist")
        self.assertEqual(Verification.objects.get().trouble, "Postfix: main.cf does not exist")
        with override("de"):
            self.assertIn("existiert nicht", Verification.objects.get().trouble)
