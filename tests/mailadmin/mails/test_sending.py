"""What the worker does with the queue: sending, trying again, giving up, leases."""

import datetime
from unittest import mock

from django.core import mail as django_mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import call_command
from django.db import OperationalError
from django.test import override_settings
from django.utils import timezone

from mailadmin.housekeeping import purge_expired
from mailadmin.jobs import queued_rows
from mailadmin.jobs.leases import LeaseLost
from mailadmin.jobs.models import Job
from mailadmin.mails import messages, sending
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.sending import MailSender
from tests.base import World
from tests.mailadmin.mails.queued import add_mail, queued, send

PAST = datetime.timedelta(days=40)


class Broken(EmailBackend):
    """A server that cannot be used."""

    def send_messages(self, messages):
        raise ConnectionRefusedError(111, "Connection refused")


BROKEN = override_settings(EMAIL_BACKEND="tests.mailadmin.mails.test_sending.Broken")


def at(moment):
    return mock.patch("django.utils.timezone.now", return_value=moment)


class SendingTests(World):
    def test_due_mails_are_sent_once_and_their_values_erased(self):
        for name in ("bob@example.org", "carol@example.com"):
            add_mail(name)
        send()
        send()
        self.assertEqual(
            [each.to for each in django_mail.outbox], [["bob@example.org"], ["carol@example.com"]]
        )
        for mail in queued():
            self.assertEqual((mail.state, mail.sealed_values, mail.error), ("sent", "", ""))
            self.assertIsNotNone(mail.finished)

    def test_a_mail_is_tried_for_a_day_at_growing_intervals(self):
        start, moments = timezone.now(), []
        add_mail()
        now = start + datetime.timedelta(days=3)  # the worker was stopped before
        with BROKEN, self.assertLogs("mailadmin.mails", "WARNING"):
            while (mail := queued()[0]).state == "waiting":
                with at(now):
                    self.assertFalse(send())
                moments.append(now)
                now = queued()[0].due
        passed = [(each - moments[0]).total_seconds() / 60 for each in moments]
        self.assertEqual(passed[:9], [0, 1, 3, 8, 18, 33, 63, 123, 183])
        self.assertEqual(passed[-1], 24 * 60)
        self.assertEqual((mail.state, mail.sealed_values), ("failed", ""))
        self.assertIn("Connection refused", mail.error)

    def test_a_mail_arrives_when_the_server_is_back(self):
        mail = add_mail()
        with BROKEN:
            send()
        self.assertEqual(django_mail.outbox, [])
        send()
        self.assertEqual(django_mail.outbox, [])  # not due yet
        with at(timezone.now() + datetime.timedelta(minutes=1)):
            send()
        (sent,) = django_mail.outbox
        self.assertEqual(sent.extra_headers["Message-ID"], mail.message_id)
        self.assertEqual(queued()[0].error, "")

    def test_a_server_that_is_away_is_left_alone_for_a_while(self):
        for _time in range(3):
            add_mail()
        sender = MailSender()
        with BROKEN:
            for _time in range(3):
                sender.send_due_mails()
        self.assertEqual([mail.attempts for mail in queued()], [1, 0, 0])
        sender.paused_until = 0.0
        sender.send_due_mails()
        self.assertEqual([mail.state for mail in queued()], ["waiting", "sent", "sent"])

    def test_a_mail_that_cannot_be_built_stops_no_other(self):
        first, second = add_mail(), add_mail("carol@example.com")
        build = messages.build_message

        def fail(mail):
            if mail.pk == first.pk:
                raise ZeroDivisionError
            return build(mail)

        with (
            mock.patch.object(sending, "build_message", fail),
            self.assertLogs("mailadmin.mails", "ERROR"),
        ):
            send()
        first.refresh_from_db()
        second.refresh_from_db()
        self.assertEqual((first.state, second.state), ("waiting", "sent"))
        self.assertIn("See the server log", first.error)

    def test_a_changed_secret_key_is_said(self):
        add_mail()
        with self.settings(SECRET_KEY="another"):
            send()
        (mail,) = queued()
        self.assertEqual(mail.state, "failed")
        self.assertIn("MAILADMIN_SECRET_KEY", mail.error)

    def test_a_kind_that_is_unknown_is_given_up(self):
        add_mail()
        OutgoingMail.objects.update(kind="of-an-older-version")
        send()
        self.assertEqual(queued()[0].state, "failed")

    def test_a_stopping_worker_begins_no_other_mail(self):
        add_mail()
        MailSender().send_due_mails(should_stop=lambda: True)
        self.assertEqual(queued()[0].attempts, 0)

    def test_jobs_have_their_turn_while_many_mails_wait(self):
        for _time in range(3):
            add_mail()
        job = {"kind": "counting", "owner": "CLI (console)", "total": 3}
        Job.objects.create(**job)
        order = []

        def step(job):
            order.append(len(django_mail.outbox))
            return (lambda changes: None, (), 1) if len(order) < 3 else None

        with (
            mock.patch.object(sending, "BATCH_SECONDS", 0),
            mock.patch.dict("mailadmin.registry.job_steps", {"counting": step}),
        ):
            call_command("worker", once=True)
        self.assertEqual(order, [0, 1, 2])
        self.assertEqual(len(django_mail.outbox), 3)

    def test_old_mails_are_deleted(self):
        for state in ("sent", "failed", "waiting"):
            mail = add_mail()
            OutgoingMail.objects.filter(pk=mail.pk).update(state=state)
        OutgoingMail.objects.update(created=timezone.now() - PAST)
        OutgoingMail.objects.exclude(state="waiting").update(finished=timezone.now() - PAST)
        purge_expired()
        self.assertEqual([mail.state for mail in queued()], ["failed", "waiting"])
        OutgoingMail.objects.filter(state="failed").update(finished=timezone.now() - PAST * 3)
        purge_expired()
        self.assertEqual([mail.state for mail in queued()], ["waiting"])


class LeaseTests(World):
    def test_a_mail_that_is_being_sent_is_not_taken(self):
        add_mail()
        self.assertIsNotNone(queued_rows.claim_row(OutgoingMail))
        self.assertIsNone(queued_rows.claim_row(OutgoingMail))

    def test_the_mail_of_a_worker_that_died_is_taken_after_its_lease(self):
        add_mail()
        first = queued_rows.claim_row(OutgoingMail)
        with at(timezone.now() + OutgoingMail.lease_duration):
            second = queued_rows.claim_row(OutgoingMail)
            self.assertEqual(
                (second.pk, second.attempts, second.was_interrupted), (first.pk, 2, True)
            )
            with self.assertRaises(LeaseLost):
                queued_rows.renew_lease(first)
            queued_rows.renew_lease(second)
        self.assertFalse(queued_rows.update_held(first, state="sent"))
        self.assertTrue(queued_rows.update_held(second, state="sent"))

    def test_two_workers_with_the_same_name_are_two(self):
        """In containers host name and process id may be the same after a restart."""
        add_mail()
        first = queued_rows.claim_row(OutgoingMail)
        with at(timezone.now() + OutgoingMail.lease_duration):
            queued_rows.claim_row(OutgoingMail)
        self.assertFalse(queued_rows.update_held(first, state="sent"))

    def test_a_mail_that_ends_its_workers_is_given_up_after_a_day(self):
        add_mail()
        now = timezone.now()
        for _time in range(3):
            with at(now):
                queued_rows.claim_row(OutgoingMail)
            now += OutgoingMail.lease_duration
        with at(now + datetime.timedelta(days=1)):
            send()
        (mail,) = queued()
        self.assertEqual((mail.state, mail.sealed_values), ("failed", ""))
        self.assertEqual(django_mail.outbox, [])

    def test_a_sent_mail_is_recorded_when_the_database_is_back(self):
        add_mail()
        sender, update = MailSender(), queued_rows.update_held
        answers = iter([OperationalError(2006, "gone"), None])

        def lost(mail, **values):
            if error := next(answers, None):
                raise error
            return update(mail, **values)

        with mock.patch.object(queued_rows, "update_held", lost):
            with self.assertRaises(OperationalError):
                sender.send_due_mails()
            self.assertEqual(queued()[0].state, "sending")
            sender.send_due_mails()
        self.assertEqual((queued()[0].state, len(django_mail.outbox)), ("sent", 1))
