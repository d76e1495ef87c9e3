"""One line for each decision: in the mail log, or on a stream."""

import re
import syslog
from typing import TextIO

PROGRAM_NAME = "mailadmin-autoreply"
log_stream: TextIO | None = None


def configure(stream: TextIO | None) -> None:
    """Set the stream; None is syslog, facility mail."""
    global log_stream
    log_stream = stream
    if stream is None:
        syslog.openlog(PROGRAM_NAME, syslog.LOG_PID, syslog.LOG_MAIL)


def write_line(text: str) -> None:
    """Log printable ASCII only: untrusted addresses must not start a line of their own."""
    text = re.sub(r"[^ -~]", "?", text)[:1000]
    if log_stream is None:
        syslog.syslog(syslog.LOG_MAIL | syslog.LOG_INFO, text)
    else:
        print(f"{PROGRAM_NAME}: {text}", file=log_stream)
