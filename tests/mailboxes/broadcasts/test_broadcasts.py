"""Messages to users: who gets them, what is asked before, how far they are, how they stop."""

import io
import tempfile
from unittest import mock

from django.core import mail as django_mail
from django.core.management import CommandError, call_command
from django.test import override_settings

from mailadmin.mails.models import OutgoingMail
from mailboxes.models import Broadcast
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from tests.base import World

BOB, CAROL = "bob@example.org", "carol@example.com"
MESSAGE = {"subject": "Works on Sunday", "text": "From 6 to 8.\n\n100 %(sure)s\n."}


class BroadcastTests(World):
    def setUp(self):
        self.sign_in(self.root)

    def send(self, person=None, **values):
        if person:
            self.sign_in(person)
        data = MESSAGE | {"confirmed": "1"} | values
        return self.client.post("/broadcasts/create/", data)

    def work(self):
        call_command("worker", once=True)
        call_command("worker", once=True)
        return sorted(message.to[0] for message in django_mail.outbox)

    def add(self, count):
        rows = [
            {"local_part": f"x{number:03}", "domain": self.bob.domain, "password": "x"}
            for number in range(count)
        ]
        self.perform(self.root, create_mailboxes, rows)
        OutgoingMail.objects.all().delete()

    # Recipients

    def test_superadmins_write_to_everybody(self):
        self.send()
        self.assertEqual(self.work(), [BOB, CAROL])

    def test_a_message_looks_as_it_was_written(self):
        self.send(domains="example.org")
        self.work()
        [message] = django_mail.outbox
        self.assertEqual(message.subject, MESSAGE["subject"])
        self.assertEqual(message.body, MESSAGE["text"] + "\n")
        self.assertIn("<p>From 6 to 8.</p>", message.alternatives[0][0])

    def test_admins_write_to_their_own_domains(self):
        self.send(self.alice, domains="example.org")
        self.assertEqual(self.work(), [BOB])
        for values in ({}, {"domains": "example.com"}, {"addresses": CAROL}):
            page = self.send(self.alice, **values)
            self.assertEqual(page.status_code, 200)
            self.assertTrue(page.context["form"].errors)
        self.assertEqual(Broadcast.objects.count(), 1)

    def test_single_mailboxes(self):
        self.add(3)
        self.send(addresses=f"{BOB}\nX001@example.org\n{BOB}")
        self.assertEqual(self.work(), [BOB, "x001@example.org"])
        page = self.send(addresses="nobody@example.org")
        self.assertContains(page, "There is no active mailbox nobody@example.org.")

    def test_aliases_too(self):
        self.send(domains="example.org", has_aliases="on")
        found = self.work()
        self.assertIn("info@example.org", found)
        self.assertEqual(len(found), len(set(found)))
        self.assertNotIn("info@example.com", found)

    def test_inactive_mailboxes_get_none(self):
        self.perform(self.root, set_mailboxes, [BOB], "active", False)
        self.send()
        self.assertEqual(self.work(), [CAROL])
        page = self.send(domains="example.org")
        self.assertEqual(Broadcast.objects.count(), 1 + (page.status_code == 302))

    def test_many_are_queued_in_steps(self):
        self.add(25)
        with mock.patch("mailboxes.services.broadcasts.ROWS_PER_STEP", 7):
            self.send(domains="example.org")
            call_command("worker", once=True)
        batch = OutgoingMail.objects.filter(batch=f"broadcast {Broadcast.objects.get().pk}")
        self.assertEqual(batch.count(), 26)
        self.assertEqual(batch.values("recipient").distinct().count(), 26)
        self.assertTrue(Broadcast.objects.get().is_complete)

    # Pages

    def test_the_message_is_shown_before_it_is_sent(self):
        data = MESSAGE | {"preview": "1", "domains": "example.org"}
        page = self.client.post("/broadcasts/create/", data)
        self.assertContains(page, "This message will be sent to 1 address.")
        self.assertContains(page, "From 6 to 8.<br>")
        self.assertFalse(Broadcast.objects.exists())
        hidden = {field.html_name: field.value() or "" for field in page.context["form"]}
        self.client.post("/broadcasts/create/", hidden | {"confirmed": "1"})
        self.assertEqual(Broadcast.objects.get().domains, ["example.org"])

    def test_nobody_to_write_to(self):
        self.perform(self.root, set_mailboxes, [BOB], "active", False)
        data = MESSAGE | {"preview": "1", "domains": "example.org"}
        page = self.client.post("/broadcasts/create/", data)
        self.assertContains(page, "Nobody would get this message")

    def test_it_is_stopped(self):
        self.add(25)
        with mock.patch("mailboxes.services.broadcasts.ROWS_PER_STEP", 7):
            self.send(domains="example.org")
            broadcast = Broadcast.objects.get()
            self.client.post(f"/broadcasts/{broadcast.pk}/")
            self.assertEqual(self.work(), [])
        page = self.client.get(f"/broadcasts/{broadcast.pk}/")
        self.assertContains(page, "Stopped")
        self.assertNotContains(page, "btn-outline-danger")

    def test_mails_that_wait_are_not_sent_after_it_was_stopped(self):
        self.add(3)
        self.send(domains="example.org")
        with mock.patch("mailadmin.mails.sending.MailSender.send_due_mails", return_value=False):
            call_command("worker", once=True)
        self.assertEqual(OutgoingMail.objects.filter(state="waiting").count(), 4)
        self.client.post(f"/broadcasts/{Broadcast.objects.get().pk}/")
        with self.assertLogs("mailadmin.mails", "WARNING"):
            self.assertEqual(self.work(), [])
        errors = set(OutgoingMail.objects.values_list("state", "error"))
        self.assertEqual(errors, {("failed", "The message was stopped.")})

    def test_the_page_shows_how_far_it_is(self):
        self.send()
        number = Broadcast.objects.get().pk
        self.assertContains(self.client.get("/broadcasts/"), MESSAGE["subject"])
        self.work()
        page = self.client.get(f"/broadcasts/{number}/")
        self.assertEqual(dict(page.context["states"])["sent"], 2)
        self.assertFalse(page.context["is_running"])

    # Who may

    def test_admins_see_their_own_messages_only(self):
        self.send()
        number = Broadcast.objects.get().pk
        self.sign_in(self.alice)
        self.assertNotContains(self.client.get("/broadcasts/"), MESSAGE["subject"])
        self.assertEqual(self.client.get(f"/broadcasts/{number}/").status_code, 404)
        self.assertEqual(self.client.post(f"/broadcasts/{number}/").status_code, 404)
        self.assertIsNone(Broadcast.objects.get().stopped)

    def test_the_setting_says_who_may(self):
        for value, root, alice in (("no", 403, 403), ("superadmins", 200, 403)):
            with override_settings(MAILADMIN_BROADCAST=value):
                for person, status in ((self.root, root), (self.alice, alice), (self.bob, 403)):
                    self.sign_in(person)
                    self.assertEqual(self.client.get("/broadcasts/").status_code, status)
                    menu = self.client.get("/").content.decode()
                    self.assertEqual("/broadcasts/" in menu, status == 200)

    # Command

    def call(self, *arguments):
        output = io.StringIO()
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(MESSAGE["text"])
            file.flush()
            named = ("--subject", MESSAGE["subject"], "--text-file", file.name)
            call_command("broadcast", *named, *arguments, stdout=output)
        return output.getvalue()

    def test_the_command(self):
        self.assertIn("Recipients: 2", self.call("--yes"))
        self.assertEqual(self.work(), [BOB, CAROL])
        with self.assertRaisesMessage(CommandError, "does not exist"):
            self.call("--domain", "nothing.example", "--yes")
        refused = self.assertRaisesMessage(CommandError, "Nothing was sent.")
        with mock.patch("builtins.input", return_value="n"), refused:
            self.call("--domain", "example.org")
        self.assertEqual(Broadcast.objects.count(), 1)
