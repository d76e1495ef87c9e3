"""The answer as a mail, written by hand: whatever its parts hold, they begin no header field."""

import binascii
import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import threading
import time
from email.errors import HeaderParseError
from email.header import Header, decode_header

from mailboxes.mailserver.autoresponder.rules import X_LOOP_VALUE

CONTROL_CHARACTER_RE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
MESSAGE_ID_RE = re.compile(r"<[!-;=?-~]{1,500}>")
MAX_SUBJECT_LENGTH = 500
MAX_REFERENCES = 20
SENDMAIL_TIMEOUT_SECONDS = 60  # seconds for sendmail; pipe(8) has a thousand
TERMINATE_TIMEOUT_SECONDS = 5  # seconds for it to clean up
POLL_SECONDS = 0.05
READ_CHUNK_BYTES = 64 * 1024
MAX_STDERR_BYTES = 200  # bytes of what it says


def compose_reply(vacation, letter, now):
    """The bytes of the answer."""
    encoding, body = encode_body(build_body(vacation))
    header = {
        "From": format_from_header(vacation),
        "To": letter.sender,
        "Subject": encode_header("Subject", build_subject(vacation, letter)),
        "Date": now.strftime("%a, %d %b %Y %H:%M:%S %z"),
        "Message-ID": f"<autoreply.{os.urandom(12).hex()}@{vacation.email.rpartition('@')[2]}>",
        **build_thread_headers(letter),
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "X-Loop": X_LOOP_VALUE,
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": encoding,
    }
    # No Precedence: RFC 3834 recommends none, and an empty envelope sender says as much to all.
    lines = "".join(f"{name}: {value}\n" for name, value in header.items())
    return lines.encode("ascii") + b"\n" + body


# Header


def collapse_whitespace(text):
    return " ".join(CONTROL_CHARACTER_RE.sub(" ", text).split())


def encode_header(name, text):
    """The text as it stands in a header: encoded and folded where it has to be."""
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, header_name=name, maxlinelen=76).encode()


def format_from_header(vacation):
    """Quoted or encoded; a name that looks like somebody's address is still only a name."""
    name = collapse_whitespace(vacation.name)
    if not name:
        return vacation.email
    if not name.isascii() or len(name) > 60 or "=?" in name:
        return f"{Header(name, 'utf-8', header_name='From').encode()}\n <{vacation.email}>"
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}" <{vacation.email}>'


def build_subject(vacation, letter):
    text = vacation.subject
    if "$SUBJECT" in text:
        text = text.replace(
            "$SUBJECT", decode_header_value(letter.first("subject")[:MAX_SUBJECT_LENGTH])
        )
    return collapse_whitespace(text)[:MAX_SUBJECT_LENGTH]


def decode_header_value(value):
    """The words of a header; as they came where they are not encoded as they say."""
    try:
        return "".join(decode_header_part(*part) for part in decode_header(value))
    except (HeaderParseError, LookupError, ValueError):
        return value


def decode_header_part(part, charset):
    if isinstance(part, str):
        return part
    return part.decode(charset or "raw-unicode-escape", "replace")


def build_thread_headers(letter):
    """The fields that let a mail program show the answer below the mail."""
    own = MESSAGE_ID_RE.findall(letter.first("message-id"))[:1]
    if not own:
        return {}
    before = MESSAGE_ID_RE.findall(letter.first("references") or letter.first("in-reply-to"))
    return {"In-Reply-To": own[0], "References": "\n ".join(before[-MAX_REFERENCES:] + own)}


# Body


def build_body(vacation):
    """The owner's text with PostfixAdmin's places for the dates filled in."""
    body = vacation.body
    dates = {"<%From_Date>": vacation.activefrom, "<%Until_Date>": vacation.activeuntil}
    for place, moment in dates.items():
        body = body.replace(place, moment.strftime("%Y-%m-%d") if moment else "")
    return body


def encode_body(text):
    """(the transfer encoding, the text in it, its lines ended for sendmail)."""
    lines = (
        CONTROL_CHARACTER_RE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        .rstrip("\n")
        .split("\n")
    )
    text = "\n".join(lines) + "\n"
    if text.isascii() and max(map(len, lines)) < 998:
        return "7bit", text.encode()
    data = text.replace("\n", "\r\n").encode()
    rows = (binascii.b2a_base64(data[at : at + 57]) for at in range(0, len(data), 57))
    return "base64", b"".join(rows)


# Sending


class DeliveryUnconfirmed(Exception):
    """All of the answer was taken, and nobody knows what became of it."""


def run_sendmail(message: bytes, sender: str, sendmail: str) -> None:
    """Hand over with an empty envelope sender, so that nothing ever comes back; or OSError."""
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 (no shell, and `sender` is a plain address)
            [sendmail, "-i", "-f", "<>", "--", sender],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=write_message, args=(write_end, message), daemon=True).start()
        with process.stderr:
            words, is_over = read_until_exit(process, time.monotonic() + SENDMAIL_TIMEOUT_SECONDS)
        if not is_over:
            abandon_sendmail(process, has_unread_bytes(read_end))
    finally:
        os.close(read_end)
    if process.returncode:
        raise OSError(f"ended with {process.returncode} {decode_first_line(words)}".rstrip())


def write_message(write_end: int, message: bytes) -> None:
    """Write the message; a program that reads none of it says so by its status."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(write_end, "wb") as stream:
        stream.write(message)


def has_unread_bytes(read_end: int) -> bool:
    """Whether a part of the message has not been read; our copy of the pipe tells."""
    return fcntl.ioctl(read_end, termios.FIONREAD, bytes(4)) != bytes(4)


def abandon_sendmail(process: subprocess.Popen, was_not_read: bool) -> None:
    """What was not read has not been sent, and may be sent again."""
    terminate_process_group(process)
    text = f"no end after {SENDMAIL_TIMEOUT_SECONDS} s"
    raise OSError(text) if was_not_read else DeliveryUnconfirmed(text)


def read_until_exit(process: subprocess.Popen, deadline: float) -> tuple[bytes, bool]:
    """The beginning of what the program says, and whether it has ended in time."""
    words = b""
    while (left := deadline - time.monotonic()) > 0:
        has_ended = process.poll() is not None
        patience = 0 if has_ended else min(left, POLL_SECONDS)
        ready, _out, _exceptional = select.select([process.stderr], [], [], patience)
        if not ready and has_ended:
            return words, True  # what it has left behind may hold the pipe for ever
        if ready:
            said = os.read(process.stderr.fileno(), READ_CHUNK_BYTES)
            words = (words + said)[:MAX_STDERR_BYTES]
            if not said:
                return words, exits_in_time(process, deadline)
    return words, process.poll() is not None


def exits_in_time(process: subprocess.Popen, deadline: float) -> bool:
    """Whether the program ends in time, now that it says no more."""
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def terminate_process_group(process: subprocess.Popen) -> None:
    """End the program and all that it has started, which would go on without it."""
    for kind, patience in ((signal.SIGTERM, TERMINATE_TIMEOUT_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def decode_first_line(words: bytes) -> str:
    return words.decode(errors="replace").partition("\n")[0]
