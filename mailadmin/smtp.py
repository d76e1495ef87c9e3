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


class Deadline:
    """Ends the conversation after some time; a timeout of the socket is one of each read alone."""

    watchdog = None

    def connect(self, *args, **kwargs):
        self.watchdog = threading.Timer(SECONDS, self.hang_up)
        self.watchdog.daemon = True
        self.watchdog.start()
        return super().connect(*args, **kwargs)

    def hang_up(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def getreply(self):
        if self.file is None:
            self.file = LimitedReplies(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        if self.watchdog is not None:
            self.watchdog.cancel()
        super().close()


class SMTP(Deadline, smtplib.SMTP):
    pass


class SMTP_SSL(Deadline, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """Django's, by connections that end."""

    @property
    def connection_class(self):
        return SMTP_SSL if self.use_ssl else SMTP
