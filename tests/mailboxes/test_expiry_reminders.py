"""Reminders of passwords that expire: when, to whom, and never twice."""

import datetime
import io
import json
from unittest import mock

from django.core.management import CommandError, call_command
from django.utils import timezone

from domains.models import Domain
from mailadmin import passwords
from mailadmin.mails.languages import remember_language
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import ExpiryReminder, Mailbox
from mailboxes.services import expiry_reminders
from mailboxes.services.expiry_reminders import iter_due_reminders, send_reminders
from mailboxes.services.mailboxes import set_password
from tests.base import World


class ReminderWorld(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        Domain.objects.filter(pk="example.org").update(password_expiry=90)

    def setUp(self):
        self.expire(5)

    def expire(self, days, person=None):
        """Have a password expire so many days from now, at noon."""
        self.expires = timezone.now().replace(microsecond=0) + datetime.timedelta(days=days)
        person = person or self.bob
        Mailbox.objects.filter(pk=person.pk).update(password_expiry=self.expires)


class ReminderTests(ReminderWorld):
    def run_on(self, days):
        """Send what is due so many days later; return the steps of the new mails."""
        count = OutgoingMail.objects.count()
        later = timezone.now() + datetime.timedelta(days=days)
        with mock.patch.object(expiry_reminders.timezone, "now", return_value=later):
            send_reminders()
        mails = OutgoingMail.objects.order_by("pk")[count:]
        return [int(unseal_values(mail.sealed_values)["days"]) for mail in mails]

    def test_bob_is_reminded_at_each_step_once(self):
        self.expire(40)
        sent = {day: steps for day in range(45) if (steps := self.run_on(day) + self.run_on(day))}
        self.assertEqual(sent, {10: [30], 26: [14], 33: [7], 39: [1]})

    def test_a_step_that_was_missed_is_not_made_up_for(self):
        self.assertEqual(self.run_on(0), [7])
        self.assertEqual(self.run_on(0), [])
        self.assertEqual(self.run_on(4.5), [1])

    def test_the_recovery_address_gets_it_too_in_the_language_of_the_person(self):
        Mailbox.objects.filter(pk=self.bob.pk).update(email_other="bob@elsewhere.example")
        remember_language(self.bob, "de")
        send_reminders()
        mails = {mail.recipient: mail for mail in OutgoingMail.objects.all()}
        self.assertEqual(set(mails), {self.bob.pk, "bob@elsewhere.example"})
        self.assertEqual({mail.language for mail in mails.values()}, {"de"})

    def test_nobody_is_reminded_of_what_does_not_expire(self):
        cases = {
            "no expiry in the domain": lambda: self.set_domain(password_expiry=0),
            "no value in the domain": lambda: self.set_domain(password_expiry=None),
            "inactive domain": lambda: self.set_domain(active=False),
            "inactive mailbox": lambda: self.set_bob(active=False),
            "no password": lambda: self.set_bob(password=passwords.UNUSABLE_HASH),
            "expired already": lambda: self.expire(-1),
            "not soon": lambda: self.expire(31),
        }
        for name, change in cases.items():
            self.set_domain(password_expiry=90, active=True)
            self.set_bob(active=True, password=self.bob.password)
            self.expire(5)
            change()
            with self.subTest(name):
                self.assertEqual(list(iter_due_reminders()), [])
        self.set_domain(password_expiry=90)
        self.expire(5)
        self.assertEqual(len(list(iter_due_reminders())), 1)

    def set_domain(self, **values):
        Domain.objects.filter(pk="example.org").update(**values)

    def set_bob(self, **values):
        Mailbox.objects.filter(pk=self.bob.pk).update(**values)

    def test_a_new_password_has_a_new_date(self):
        self.assertEqual(self.run_on(0), [7])
        stored = passwords.make_hash("another-horse-42")
        self.perform(self.bob, set_password, Mailbox, self.bob.pk, stored)
        self.assertEqual(self.run_on(0), [])
        self.assertEqual(self.run_on(61), [30])

    def test_two_workers_send_one_mail(self):
        [reminders] = iter_due_reminders()
        self.assertEqual(expiry_reminders.send_batch(reminders), 1)
        self.assertEqual(expiry_reminders.send_batch(reminders), 0)
        self.assertEqual(OutgoingMail.objects.count(), 1)

    def test_many_mailboxes_are_read_some_at_a_time(self):
        rows = [
            Mailbox(pk=f"m{n}@example.org", domain_id="example.org", password="x", local_part="m")
            for n in range(5)
        ]
        for row in rows:
            row.password_expiry = self.expires
        Mailbox.objects.bulk_create(rows)
        with mock.patch.object(expiry_reminders, "BATCH_SIZE", 2):
            self.assertEqual([len(part) for part in iter_due_reminders()], [2, 2, 2])
            self.assertEqual(send_reminders(), 6)
            self.assertEqual(send_reminders(), 0)

    def test_the_worker_does_so_and_forgets_what_has_passed(self):
        old = timezone.now() - datetime.timedelta(days=1)
        ExpiryReminder.objects.create(account="x", expires=old, days=1)
        call_command("worker", once=True)
        self.assertEqual(ExpiryReminder.objects.count(), 1)
        self.assertEqual(OutgoingMail.objects.count(), 1)


class CommandTests(ReminderWorld):
    def call(self, *arguments):
        out = io.StringIO()
        call_command("remind-expiry", *arguments, stdout=out)
        return out.getvalue()

    def test_the_plan_sends_nothing(self):
        [row] = json.loads(self.call("--plan", "--json"))
        self.assertEqual((row["mailbox"], row["days"]), (self.bob.pk, 7))
        self.assertEqual(datetime.datetime.fromisoformat(row["expires"]), self.expires)
        self.assertFalse(OutgoingMail.objects.exists())

    def test_it_sends_for_one_domain(self):
        Domain.objects.filter(pk="example.com").update(password_expiry=90)
        self.expire(5, self.carol)
        self.assertIn("1 person", self.call("--domain", "EXAMPLE.com"))
        self.assertEqual(OutgoingMail.objects.get().recipient, self.carol.pk)
        self.assertEqual(json.loads(self.call("--json")), {"reminded": 1})

    def test_an_unknown_domain_is_an_error(self):
        with self.assertRaises(CommandError):
            self.call("--domain", "nowhere.example")
