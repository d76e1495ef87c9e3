"""One line for each decision: in the mail log, or where somebody tries it by hand."""

import re
import syslog

PROGRAM_NAME = "mailadmin-autoreply"
log_stream = None


def configure(stream):
    """Write to this stream from now on; None is syslog, facility mail."""
    global log_stream
    log_stream = stream
    if stream is None:
        syslog.openlog(PROGRAM_NAME, syslog.LOG_PID, syslog.LOG_MAIL)


def write_line(words):
    """Addresses come from strangers: what is no plain sign must not write a line of its own."""
    text = re.sub(r"[^ -~]", "?", words)[:1000]
    if log_stream is None:
        syslog.syslog(syslog.LOG_MAIL | syslog.LOG_INFO, text)
    else:
        print(f"{PROGRAM_NAME}: {text}", file=log_stream)
