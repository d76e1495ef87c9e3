"""Welcome mails with misbehaving mail servers: bounded, reported, sent once."""

import socket
import threading
import time
from unittest import mock

from django.core.management import call_command
from django.test import override_settings

from mailadmin import email_backend
from mailadmin.jobs.models import Job
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import World


class HostileServer(threading.Thread):
    """A server that runs `script` with each client, replies alternating with the client's lines."""

    def __init__(self, *script, then=b"", first=b""):
        super().__init__(daemon=True)
        self.script, self.then, self.first = script, then, first
        self.connections, self.heard = 0, []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        self.server.close()

    def run(self):
        while True:
            try:
                client, _address = self.server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            with client, client.makefile("rb") as lines:
                for reply in self.script:
                    client.sendall(reply)
                    self.heard.append(lines.readline())
                client.sendall(self.first)
                while self.then:
                    client.sendall(self.then)
                    time.sleep(0.05 if len(self.then) < 10 else 0)
        except OSError:
            return


HELLO = (b"220 mail.test\r\n", b"250 mail.test\r\n")
ENDS = {
    "hangs up at once": ((), b""),
    "says nothing known": ((b"what?\r\n",), b""),
    "greets without end": ((), b"220-welcome to the mail server of the future\r\n"),
    "greets letter by letter": ((), b"2"),
    "writes a line without end": ((), b"2" * 4096),
    "answers EHLO without end": ((b"220 mail.test\r\n",), b"250-SIZE 1000000\r\n"),
    "refuses the connection": ((b"554 no service\r\n",), b""),
    "refuses the sender": ((*HELLO, b"550 not you\r\n"), b""),
    "refuses the recipient": ((*HELLO, b"250 ok\r\n", b"550 unknown\r\n"), b""),
    "puts off the recipient": ((*HELLO, b"250 ok\r\n", b"451 later\r\n"), b""),
    "ends at DATA": ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), b""),
}


@override_settings(EMAIL_BACKEND="mailadmin.email_backend.EmailBackend", EMAIL_HOST="127.0.0.1")
class HostileServerTests(World):
    def create(self):
        row = {"local_part": "dora", "domain": self.bob.domain, "password": "x", "quota": 1}
        self.perform(self.alice, create_mailboxes, [row | {"welcome_mail": True}])

    def test_each_hostile_server_ends_as_a_failed_job_in_time(self):
        self.create()
        for name, (script, then) in ENDS.items():
            with (
                self.subTest(name),
                HostileServer(*script, then=then) as server,
                override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=2),
                mock.patch.object(email_backend.EmailSMTP, "session_seconds", 3),
            ):
                Job.objects.update(
                    state=Job.State.WAITING, attempts=0, message="", lease_until=None
                )
                began = time.monotonic()
                call_command("worker", once=True)
                self.assertLess(time.monotonic() - began, 30)
                job = Job.objects.get()
                self.assertEqual(job.state, Job.State.FAILED)
                self.assertIn("SMTP server did not accept the message", job.message)
                self.assertEqual(server.connections, 1)

    @override_settings(EMAIL_USE_TLS=True)
    def test_garbage_after_starttls_is_a_failed_job(self):
        self.create()
        script = (b"220 mail.test\r\n", b"250-mail.test\r\n250 STARTTLS\r\n", b"220 go\r\n")
        with (
            HostileServer(*script, then=b"no TLS at all\r\n") as server,
            override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=2),
            mock.patch.object(email_backend.EmailSMTP, "session_seconds", 3),
        ):
            call_command("worker", once=True)
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)

    def test_an_unreachable_server_leaves_no_thread_behind(self):
        self.create()
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        before = threading.active_count()
        with override_settings(EMAIL_PORT=port, EMAIL_TIMEOUT=2):
            for _time in range(5):
                Job.objects.update(state=Job.State.WAITING, attempts=0, lease_until=None)
                call_command("worker", once=True)
        self.assertEqual(threading.active_count(), before)

    def test_the_deadline_applies_after_starttls(self):
        """The server accepts STARTTLS and then sends invalid data, slower than any timeout."""
        self.create()
        script = (b"220 mail.test\r\n", b"250-mail.test\r\n250 STARTTLS\r\n", b"220 go\r\n")
        hello = b"\x16\x03\x03\x40\x00"  # a record of 16 kB, a byte at a time
        with (
            HostileServer(*script, then=b"\0", first=hello) as server,
            override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=5, EMAIL_USE_TLS=True),
            mock.patch.object(email_backend.EmailSMTP, "session_seconds", 2),
        ):
            began = time.monotonic()
            call_command("worker", once=True)
            self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(Job.objects.get().state, Job.State.FAILED)

    def test_an_accepted_mail_is_sent_only_once(self):
        self.create()
        script = (*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n")
        with (
            TakingServer(*script) as server,
            override_settings(EMAIL_PORT=server.port, EMAIL_TIMEOUT=2),
            mock.patch.object(email_backend.EmailSMTP, "session_seconds", 3),
        ):
            call_command("worker", once=True)
            call_command("worker", once=True)
        self.assertEqual(Job.objects.get().state, Job.State.DONE)
        self.assertEqual(server.connections, 1)


class TakingServer(HostileServer):
    """A server that accepts the mail and disconnects without replying to QUIT."""

    def serve(self, client):
        with client, client.makefile("rb") as lines:
            for reply in self.script:
                client.sendall(reply)
                self.heard.append(lines.readline())
            while lines.readline().strip() != b".":
                pass
            client.sendall(b"250 taken\r\n")
