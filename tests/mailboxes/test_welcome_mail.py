"""Welcome mails to new mailboxes."""

import datetime

from django.core import mail
from django.core.management import call_command
from django.utils import timezone

from domains.services.domains import set_domains
from mailadmin.jobs.models import Job
from mailadmin.mails.languages import remember_language
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.outcomes import finish
from mailboxes.models import Mailbox
from mailboxes.services.domain_deletion import delete_domain_contents
from mailboxes.services.domains import delete_domains
from mailboxes.services.mailboxes import create_mailboxes, delete_mailboxes
from mailboxes.welcome_mail import find_welcome_mail
from tests.base import World


class WelcomeMailTests(World):
    def create(self, person=None, **more):
        row = {"local_part": "dora", "domain": self.bob.domain, "password": "x", "quota": 1}
        row |= {"welcome_mail": True} | more
        return self.perform(person or self.alice, create_mailboxes, [row])[0]

    def work(self):
        call_command("worker", once=True)

    def test_it_is_sent_by_the_worker(self):
        self.create()
        self.assertEqual(mail.outbox, [])
        self.work()
        (sent,) = mail.outbox
        self.assertEqual((sent.to, sent.from_email), (["dora@example.org"], "alice@example.org"))
        self.assertEqual(sent.subject, "Welcome")
        self.assertIn("dora@example.org is ready", sent.body)
        self.work()
        self.assertEqual(len(mail.outbox), 1)

    def test_the_settings_have_its_texts(self):
        self.create()
        texts = {"MAILADMIN_WELCOME_SUBJECT": "Hello %(address)s"}
        texts |= {"MAILADMIN_WELCOME_TEXT": r"100 % yours:\n%(address)s, %(name)s"}
        with self.settings(**texts):
            self.work()
        self.assertEqual(mail.outbox[0].subject, "Hello dora@example.org")
        self.assertEqual(mail.outbox[0].body, "100 % yours:\ndora@example.org, %(name)s\n")

    def test_the_form_previews_it(self):
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/create/")
        self.assertContains(page, "Your mailbox bob@example.org is ready.")

    def test_it_is_deleted_with_its_mailbox(self):
        self.create()
        self.perform(self.alice, delete_mailboxes, ["dora@example.org"])
        self.work()
        self.assertEqual((mail.outbox, OutgoingMail.objects.count()), ([], 0))

    def test_it_is_deleted_with_its_domain(self):
        self.create()
        self.perform(self.root, delete_domains, ["example.org"])
        self.work()
        self.assertEqual((mail.outbox, OutgoingMail.objects.count()), ([], 0))

    def test_it_is_deleted_with_the_contents_of_a_large_domain(self):
        self.create()
        arguments = "example.org", Mailbox, ["dora@example.org"]
        self.perform(self.root, set_domains, ["example.org"], "active", False)
        self.perform(self.root, delete_domain_contents, *arguments)
        self.assertFalse(OutgoingMail.objects.exists())

    def test_an_older_mail_of_the_same_name_is_another(self):
        """Another program deleted the mailbox, and the panel's mail stayed."""
        mailbox = self.create()
        past = timezone.now() - datetime.timedelta(days=1)
        OutgoingMail.objects.update(created=past, **finish("sent", past))
        self.assertIsNone(find_welcome_mail(self.alice, mailbox))

    def test_the_new_owner_is_written_to_in_the_language_of_the_account(self):
        remember_language(Mailbox(pk="dora@example.org"), "de")
        self.create()
        self.assertEqual(OutgoingMail.objects.get().language, "de")

    def test_jobs_of_an_earlier_version_still_send_it(self):
        values = {"owner_model": "domains.Admin", "owner_key": self.alice.pk, "owner": "alice"}
        for key in (self.bob.pk, "nobody@example.org"):
            Job.objects.create(kind="welcome", title="x", arguments={"to": key}, total=1, **values)
        self.work()
        self.work()
        self.assertEqual([each.to for each in mail.outbox], [["bob@example.org"]])
        self.assertEqual(mail.outbox[0].from_email, "alice@example.org")
        self.assertEqual(set(Job.objects.values_list("state", flat=True)), {Job.State.DONE})

    def test_home_names_mails_that_were_not_delivered(self):
        self.create()
        now = timezone.now()
        self.sign_in(self.alice)
        OutgoingMail.objects.update(state="waiting", attempts=1)
        self.assertNotContains(self.client.get("/"), "not delivered")
        OutgoingMail.objects.update(state="waiting", attempts=3)
        self.assertContains(self.client.get("/"), "not delivered")
        OutgoingMail.objects.update(**finish("failed", now, "refused"))
        self.assertContains(self.client.get("/"), "/mails/?q=dora%40example.org")
        OutgoingMail.objects.update(**finish("failed", now - datetime.timedelta(days=4), "refused"))
        self.assertNotContains(self.client.get("/"), "not delivered")
