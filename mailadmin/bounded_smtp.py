"""SMTP with servers that may do anything: a session is limited in time and in what is read."""

import contextlib
import re
import smtplib
import socket
import threading
import time
from typing import Any

MAX_SESSION_BYTES = 1_000_000  # of all replies of a session
CHUNK_SIZE = 4096
MIN_TIMEOUT_SECONDS = 0.001  # seconds; none at all would mean not to wait for packets
REPLY_RE = re.compile(rb"(\d{3})([ -]?)(.*)", re.DOTALL)


@contextlib.contextmanager
def shutdown_after(connection: socket.socket, seconds: float):
    """End a connection after this time: a handshake of TLS waits anew for each packet.

    By a second handle of it, since the first is taken over by TLS meanwhile.
    """
    handle = connection.dup()
    watchdog = threading.Timer(seconds, shutdown_socket, [handle])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
        handle.close()


def shutdown_socket(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


class BoundedSessionMixin:
    """Ends a session at its deadline, whatever the server has said until then.

    smtplib waits anew for each packet, and reads replies of any number of lines.
    """

    session_seconds = 30.0
    deadline = None
    unread = b""  # what has come of the next line
    received_bytes = 0

    def getreply(self) -> tuple[int, bytes]:
        texts = []
        while True:
            line = self._read_line()
            found = REPLY_RE.match(line.rstrip(b"\r\n"))
            if not found:
                self.close()
                raise smtplib.SMTPException("the server does not answer by SMTP")
            texts.append(found[3].strip())
            if found[2] != b"-":
                return int(found[1]), b"\n".join(texts)

    def starttls(self, **options: Any) -> tuple[int, bytes]:
        """Nothing that came in plain text may count as said in the encrypted session."""
        with shutdown_after(self.sock, self.remaining_seconds()):
            reply = super().starttls(**options)
        if self.unread:
            self.close()
            raise smtplib.SMTPException("the server speaks before the encryption begins")
        return reply

    def quit(self) -> None:
        """Say goodbye; what is known by now is not lost if the server does not."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self.docmd("QUIT")
        self.close()

    def __exit__(self, *error) -> None:
        self.quit()

    def remaining_seconds(self) -> float:
        """Seconds until the session has to be over; it begins when this is first asked."""
        if self.deadline is None:
            self.deadline = time.monotonic() + self.session_seconds
        return max(self.deadline - time.monotonic(), MIN_TIMEOUT_SECONDS)

    def _read_line(self) -> bytes:
        while b"\n" not in self.unread:
            self.unread += self._receive()
        line, newline, self.unread = self.unread.partition(b"\n")
        return line + newline

    def _receive(self) -> bytes:
        if not self.sock:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        try:
            self.sock.settimeout(self.remaining_seconds())
            data = self.sock.recv(CHUNK_SIZE)
        except TimeoutError as error:
            self.close()
            text = f"the session takes longer than {self.session_seconds:.0f} s"
            raise TimeoutError(text) from error
        self.received_bytes += len(data)
        if not data or self.received_bytes > MAX_SESSION_BYTES:
            self.close()
            reason = "too long a reply" if data else "connection unexpectedly closed"
            raise smtplib.SMTPServerDisconnected(reason)
        return data


class BoundedSMTP(BoundedSessionMixin, smtplib.SMTP):
    """In plain text, until STARTTLS."""


class BoundedSMTPSSL(BoundedSessionMixin, smtplib.SMTP_SSL):  # noqa: N801 (smtplib's name)
    """Encrypted from the first byte."""

    def _get_socket(self, host, port, timeout):
        plain = smtplib.SMTP._get_socket(self, host, port, timeout)
        with shutdown_after(plain, self.remaining_seconds()):
            return self.context.wrap_socket(plain, server_hostname=self._host)


class BoundedLMTP(BoundedSessionMixin, smtplib.LMTP):
    """Local delivery."""
