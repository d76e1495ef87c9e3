"""Sending mail to a server that may never come to an end."""

import contextlib
import smtplib
import socket
import threading

from django.core.mail.backends import smtp

SECONDS = 60  # for all that is said about a mail, however slowly the server talks
LARGEST = 2**20  # bytes of all its replies


class LimitedReplies:
    """The server's replies, which end when they are too many."""

    def __init__(self, file):
        self.file, self.left = file, LARGEST

    def readline(self, size: int) -> bytes:
        line = self.file.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise smtplib.SMTPServerDisconnected("The replies of the mail server have no end")
        return line

    def close(self) -> None:
        self.file.close()


class DeadlineSMTP(smtplib.SMTP):
    """Ends the conversation after some time; a timeout of the socket is one of each read alone."""

    watchdog = raw = None

    def connect(self, *args, **kwargs):
        self.watchdog = threading.Timer(SECONDS, self.hang_up)
        self.watchdog.daemon = True
        self.watchdog.start()
        try:
            return super().connect(*args, **kwargs)
        except BaseException:
            self.close()  # or the timer would go on
            raise

    def _get_socket(self, *args):
        """Keep a second handle of the connection, which is the same before and within TLS."""
        connected = super()._get_socket(*args)
        self.raw = connected.dup()
        return connected

    def hang_up(self) -> None:
        if self.raw is not None:
            with contextlib.suppress(OSError):
                self.raw.shutdown(socket.SHUT_RDWR)

    def getreply(self):
        if self.file is None:
            self.file = LimitedReplies(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()
        if self.raw is not None:
            self.raw.close()
            self.raw = None
        super().close()


class DeadlineSMTPS(smtplib.SMTP_SSL, DeadlineSMTP):
    """The same with TLS from the beginning; the first handle is there before it is wrapped."""


class EmailBackend(smtp.EmailBackend):
    """Django's, by connections that end."""

    @property
    def connection_class(self):
        return DeadlineSMTPS if self.use_ssl else DeadlineSMTP
