"""SMTP servers that violate the protocol."""

import contextlib
import socket
import ssl
import threading
import time

import pytest

from mailboxes.mailserver import smtp_probe
from mailboxes.mailserver.smtp_probe import ProbeError, probe_recipient

GREETING = b"220 mail.test ESMTP\r\n"


class Server:
    """A server that accepts one connection after the other and runs `talk` for each."""

    def __init__(self, talk):
        self.talk, self.listening = talk, socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.is_over = threading.Event()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _address = self.listening.accept()
                with connection, contextlib.suppress(OSError):
                    self.talk(connection, self.is_over)

    def close(self):
        self.is_over.set()
        self.listening.close()


def send_parts(*parts, pause=0):
    """Send these parts, and repeat the last one forever."""

    def talk(connection, is_over):
        *first, last = parts
        for part in first:
            connection.sendall(part)
        while not is_over.wait(pause):
            connection.sendall(last)

    return talk


def answers(**replies):
    """Speak SMTP, except for the replies to these commands; None closes the connection."""

    def talk(connection, is_over):
        connection.sendall(replies.get("greeting", GREETING))
        for line in connection.makefile("rb"):
            reply = replies.get(line[:4].decode(errors="replace").strip().lower(), b"250 ok\r\n")
            if reply is None:
                return
            connection.sendall(reply)

    return talk


@pytest.fixture
def query_server(settings, monkeypatch):
    """Query such a server; return the reply or the error."""
    monkeypatch.setattr(smtp_probe.ProbeSMTP, "session_seconds", 1)
    servers = []

    def query(talk, tls=False):
        servers.append(Server(talk))
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", servers[-1].port
        settings.EMAIL_USE_TLS, settings.EMAIL_HOST_USER = tls, ""
        start = time.monotonic()
        try:
            return probe_recipient("bob@example.org")
        except ProbeError as error:
            return str(error)
        finally:
            assert time.monotonic() - start < 10

    yield query
    for server in servers:
        server.close()


def test_replies_of_a_correct_server_are_parsed(query_server):
    assert query_server(answers(rcpt=b"250-2.1.5 Ok\r\n250 really\r\n")) == "250 2.1.5 Ok\nreally"
    assert query_server(answers(rcpt=b"550 5.1.1 nobody\r\n")) == "550 5.1.1 nobody"
    assert query_server(answers(rcpt=b"451 4.3.0 later\r\n")) == "451 4.3.0 later"
    assert query_server(answers(mail=b"530 5.7.0 no\r\n")) == "530 5.7.0 no"
    assert query_server(answers(rcpt=b"250 2.1.5 Ok\r\n", quit=b"500 what?\r\n")) == "250 2.1.5 Ok"
    assert query_server(answers(rcpt=b"250 2.1.5 Ok\r\n", quit=None)) == "250 2.1.5 Ok"


HOSTILE = {
    "endless lines": (send_parts(GREETING, b"250-more\r\n" * 1000), "reply too long"),
    "one endless line": (send_parts(b"220 " + b"x" * 9000), "reply too long"),
    "drip": (send_parts(GREETING, b"2", pause=0.1), "takes longer than 1 s"),
    "lines that drip": (send_parts(b"220-x\r\n", pause=0.1), "takes longer than 1 s"),
    "silence": (lambda connection, is_over: is_over.wait(30), "takes longer than 1 s"),
    "drop": (lambda connection, is_over: None, "closed"),
    "drop after the greeting": (answers(ehlo=None, helo=None), "closed"),
    "drop at the recipient": (answers(rcpt=None), "closed"),
    "another protocol": (send_parts(b"HTTP/1.1 400 Bad Request\r\n"), "does not speak SMTP"),
    "refused greeting": (answers(greeting=b"554 5.7.1 go away\r\n"), "go away"),
    "bytes": (send_parts(bytes(range(256)) * 10), "127.0.0.1"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_misbehaving_server_is_left_in_time(query_server, name):
    talk, expected = HOSTILE[name]
    assert expected in query_server(talk)


OFFER = b"250-mail.test\r\n250 STARTTLS\r\n"


@pytest.mark.parametrize(
    "reply, expected",
    [
        (b"220 go\r\n" + b"garbage" * 100, "127.0.0.1"),
        (b"220 go\r\n250 injected\r\n", "127.0.0.1"),
        (b"454 4.7.0 not now\r\n", "not now"),
        (b"220 go\r\n", "127.0.0.1"),  # and then nothing
    ],
    ids=["garbage", "injected", "refused", "silence"],
)
def test_a_failed_tls_handshake_is_an_error(query_server, reply, expected):
    assert expected in query_server(answers(ehlo=OFFER, star=reply), tls=True)


def test_plain_text_before_tls_is_discarded(query_server, monkeypatch):
    def wrapped(self, connection, **options):
        return connection

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrapped)
    outcome = query_server(answers(ehlo=OFFER, star=b"220 go\r\n250 injected\r\n"), tls=True)
    assert "before TLS" in outcome
