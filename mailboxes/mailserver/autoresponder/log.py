"""One line for each decision: in the mail log, or where somebody tries it by hand."""

import re
import syslog

NAME = "mailadmin-autoreply"
place = None


def use(stream):
    """Write to this stream from now on; None is syslog, facility mail."""
    global place
    place = stream
    if stream is None:
        syslog.openlog(NAME, syslog.LOG_PID, syslog.LOG_MAIL)


def line(words):
    """Addresses come from strangers: what is no plain sign must not write a line of its own."""
    text = re.sub(r"[^ -~]", "?", words)[:1000]
    if place is None:
        syslog.syslog(syslog.LOG_MAIL | syslog.LOG_INFO, text)
    else:
        print(f"{NAME}: {text}", file=place)
