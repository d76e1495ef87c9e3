"""Sending to SMTP servers that misbehave: bounded, reported, tried again."""

import datetime
import socket
import threading
import time
from unittest import mock

from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone

from mailadmin import email_backend
from mailadmin.mails.models import OutgoingMail
from tests.base import World
from tests.mailadmin.mails.queued import add_mail, queued
from tests.mailadmin.mails.smtp_servers import HELLO, OK, HostileServer, TakingServer

ENDS = {
    "hangs up at once": ((), b""),
    "says nothing known": ((b"what?\r\n",), b""),
    "greets without end": ((), b"220-welcome to the mail server of the future\r\n"),
    "greets letter by letter": ((), b"2"),
    "writes a line without end": ((), b"2" * 4096),
    "answers EHLO without end": ((b"220 mail.test\r\n",), b"250-SIZE 1000000\r\n"),
    "refuses the connection": ((b"554 no service\r\n",), b""),
    "refuses the sender": ((*HELLO, b"550 not you\r\n"), b""),
    "puts off the recipient": ((*HELLO, OK, b"451 later\r\n"), b""),
    "puts off the content": ((*HELLO, OK, OK, b"354 go\r\n"), b"451 later\r\n"),
    "ends at DATA": ((*HELLO, OK, OK, b"354 go\r\n"), b""),
}
FINAL = {
    "refuses the recipient": (*HELLO, OK, b"550 5.1.1 unknown\r\n"),
    "refuses to take the content": (*HELLO, OK, OK, b"554 spam\r\n"),
}


@override_settings(EMAIL_BACKEND="mailadmin.email_backend.EmailBackend", EMAIL_HOST="127.0.0.1")
class HostileServerTests(World):
    def setUp(self):
        add_mail()

    def work(self, server, seconds=3, **more):
        with (
            override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=2, **more),
            mock.patch.object(email_backend.EmailSessionMixin, "session_seconds", seconds),
        ):
            call_command("worker", once=True)
        return OutgoingMail.objects.get()

    def test_each_hostile_server_is_left_in_time_and_tried_again(self):
        for name, (script, then) in ENDS.items():
            with self.subTest(name), HostileServer(*script, then=then) as server:
                OutgoingMail.objects.all().delete()
                add_mail()
                began = time.monotonic()
                mail = self.work(server)
                self.assertLess(time.monotonic() - began, 30)
                self.assertEqual((mail.state, mail.attempts), ("waiting", 1))
                self.assertIn("SMTP server", mail.error)
                self.assertEqual(server.connections, 1)

    def test_a_refused_recipient_or_content_is_final(self):
        for name, script in FINAL.items():
            with self.subTest(name), HostileServer(*script) as server:
                OutgoingMail.objects.all().delete()
                add_mail()
                mail = self.work(server)
                self.assertEqual((mail.state, mail.sealed_values), ("failed", ""))
                self.assertIn("did not accept the message: 55", mail.error)

    def test_garbage_after_starttls_is_an_error(self):
        script = (b"220 mail.test\r\n", b"250-mail.test\r\n250 STARTTLS\r\n", b"220 go\r\n")
        with HostileServer(*script, then=b"no TLS at all\r\n") as server:
            mail = self.work(server, EMAIL_USE_TLS=True)
        self.assertEqual(mail.state, "waiting")
        self.assertIn("cannot be used", mail.error)

    def test_an_unreachable_server_leaves_no_thread_behind(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        before = threading.active_count()
        with override_settings(EMAIL_PORT=port, EMAIL_TIMEOUT=2):
            for _time in range(5):
                OutgoingMail.objects.update(due="2026-01-01T00:00:00Z")
                call_command("worker", once=True)
        self.assertEqual(threading.active_count(), before)
        self.assertIn("refused", OutgoingMail.objects.get().error)

    def test_the_deadline_applies_after_starttls(self):
        """The server accepts STARTTLS and then sends invalid data, slower than any timeout."""
        script = (b"220 mail.test\r\n", b"250-mail.test\r\n250 STARTTLS\r\n", b"220 go\r\n")
        hello = b"\x16\x03\x03\x40\x00"  # a record of 16 kB, a byte at a time
        with HostileServer(*script, then=b"\0", first=hello) as server:
            began = time.monotonic()
            mail = self.work(server, 2, EMAIL_USE_TLS=True)
            self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(mail.state, "waiting")

    def test_a_mail_that_was_accepted_is_sent_whatever_follows(self):
        with TakingServer(*HELLO, OK, OK, b"354 go\r\n") as server:
            self.work(server)
            mail = self.work(server)
        self.assertEqual((mail.state, server.connections), ("sent", 1))

    def test_a_mail_that_may_have_arrived_is_not_sent_again_soon(self):
        """The server took it, but the reply got lost: the next attempt may be the second mail."""
        with TakingServer(*HELLO, OK, OK, b"354 go\r\n") as server:
            server.reply = b""
            mail = self.work(server)
        self.assertEqual(mail.state, "waiting")
        self.assertIn("did not say whether it accepted", mail.error)
        self.assertGreater(mail.due, timezone.now() + datetime.timedelta(minutes=59))

    def test_a_server_that_is_away_is_asked_once_for_all_mails(self):
        for _time in range(4):
            add_mail()
        with HostileServer(*HELLO, b"421 not now\r\n") as server:
            began = time.monotonic()
            with (
                override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=2),
                mock.patch.object(email_backend.EmailSessionMixin, "session_seconds", 1),
            ):
                call_command("worker", once=True)
        self.assertLess(time.monotonic() - began, 10)
        self.assertLessEqual(server.connections, 2)
        self.assertLessEqual(sum(mail.attempts for mail in queued()), 2)
