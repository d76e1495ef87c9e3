"""SMTP sessions with a limit of time and of bytes, for servers that may do anything."""

import contextlib
import re
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

MAX_SESSION_BYTES = 1_000_000  # of all replies of a session
CHUNK_SIZE = 4096
MIN_TIMEOUT_SECONDS = 0.001  # 0 would make the socket non-blocking
REPLY_RE = re.compile(rb"(\d{3})([ -]?)(.*)", re.DOTALL)


@contextlib.contextmanager
def shutdown_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """Shut down a connection after this time: a TLS handshake waits anew for each packet.

    It is shut down by a duplicate of the socket, since TLS takes over the original meanwhile.
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


class BoundedSessionMixin(smtplib.SMTP):
    """A session that ends at its deadline, whatever the server sends.

    smtplib waits anew for each packet, and reads replies of any number of lines.
    """

    session_seconds = 30.0
    deadline: float | None = None
    unread = b""  # received bytes of the next line
    received_bytes = 0

    def getreply(self) -> tuple[int, bytes]:
        texts = []
        while True:
            line = self._read_line()
            match = REPLY_RE.match(line.rstrip(b"\r\n"))
            if not match:
                self.close()
                raise smtplib.SMTPException("the server does not speak SMTP")
            texts.append(match[3].strip())
            if match[2] != b"-":
                return int(match[1]), b"\n".join(texts)

    def starttls(self, *args: Any, **options: Any) -> tuple[int, bytes]:
        """Start TLS; refuse bytes that arrived before it, as they are not authenticated."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection was closed")
        with shutdown_after(self.sock, self.remaining_seconds()):
            reply = super().starttls(*args, **options)
        if self.unread:
            self.close()
            raise smtplib.SMTPException("the server sent data before TLS started")
        return reply

    def quit(self) -> tuple[int, bytes]:
        """Send QUIT and close; a server that does not answer is no error any more."""
        reply = 221, b""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            reply = self.docmd("QUIT")
        self.close()
        return reply

    def __exit__(self, *error: Any) -> None:
        self.quit()

    def remaining_seconds(self) -> float:
        """Return the seconds until the deadline, which the first call sets."""
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
            raise smtplib.SMTPServerDisconnected("the connection was closed")
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
            reason = "reply too long" if data else "connection unexpectedly closed"
            raise smtplib.SMTPServerDisconnected(reason)
        return data


class BoundedSMTP(BoundedSessionMixin):
    """A session in plain text, until STARTTLS."""


class BoundedSMTPSSL(BoundedSessionMixin, smtplib.SMTP_SSL):  # noqa: N801 (smtplib's name)
    """A session with TLS from the start."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = smtplib.SMTP._get_socket(self, host, port, timeout)  # type: ignore[attr-defined]
        with shutdown_after(plain, self.remaining_seconds()):
            name = self._host  # type: ignore[attr-defined]  # private, too
            return self.context.wrap_socket(plain, server_hostname=name)


class BoundedLMTP(BoundedSessionMixin, smtplib.LMTP):
    """A session with a local delivery server."""
