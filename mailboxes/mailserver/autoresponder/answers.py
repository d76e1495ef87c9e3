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

from mailboxes.mailserver.autoresponder.rules import OURS

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")
LONGEST_SUBJECT = 500
MOST_REFERENCES = 20
PATIENCE = 60  # seconds for sendmail; pipe(8) has a thousand
SHORT_PATIENCE = 5  # seconds for it to clean up
SHORTLY = 0.05
CHUNK = 64 * 1024
LONGEST_WORDS = 200  # bytes of what it says


def compose(vacation, letter, now):
    """The bytes of the answer."""
    encoding, body = encoded(body_of(vacation))
    header = {
        "From": name_and_address(vacation),
        "To": letter.sender,
        "Subject": header_text("Subject", subject(vacation, letter)),
        "Date": now.strftime("%a, %d %b %Y %H:%M:%S %z"),
        "Message-ID": f"<autoreply.{os.urandom(12).hex()}@{vacation.email.rpartition('@')[2]}>",
        **thread(letter),
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "X-Loop": OURS,
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": encoding,
    }
    # No Precedence: RFC 3834 recommends none, and an empty envelope sender says as much to all.
    lines = "".join(f"{name}: {value}\n" for name, value in header.items())
    return lines.encode("ascii") + b"\n" + body


# Header


def one_line(text):
    return " ".join(CONTROL.sub(" ", text).split())


def header_text(name, text):
    """The text as it stands in a header: encoded and folded where it has to be."""
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, header_name=name, maxlinelen=76).encode()


def name_and_address(vacation):
    """Quoted or encoded; a name that looks like somebody's address is still only a name."""
    name = one_line(vacation.name)
    if not name:
        return vacation.email
    if not name.isascii() or len(name) > 60 or "=?" in name:
        return f"{Header(name, 'utf-8', header_name='From').encode()}\n <{vacation.email}>"
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}" <{vacation.email}>'


def subject(vacation, letter):
    text = vacation.subject
    if "$SUBJECT" in text:
        text = text.replace("$SUBJECT", decoded(letter.first("subject")[:LONGEST_SUBJECT]))
    return one_line(text)[:LONGEST_SUBJECT]


def decoded(value):
    """The words of a header; as they came where they are not encoded as they say."""
    try:
        return "".join(part_decoded(*part) for part in decode_header(value))
    except (HeaderParseError, LookupError, ValueError):
        return value


def part_decoded(part, charset):
    if isinstance(part, str):
        return part
    return part.decode(charset or "raw-unicode-escape", "replace")


def thread(letter):
    """The fields that let a mail program show the answer below the mail."""
    own = MESSAGE_ID.findall(letter.first("message-id"))[:1]
    if not own:
        return {}
    before = MESSAGE_ID.findall(letter.first("references") or letter.first("in-reply-to"))
    return {"In-Reply-To": own[0], "References": "\n ".join(before[-MOST_REFERENCES:] + own)}


# Body


def body_of(vacation):
    """The owner's text with PostfixAdmin's places for the dates filled in."""
    body = vacation.body
    dates = {"<%From_Date>": vacation.activefrom, "<%Until_Date>": vacation.activeuntil}
    for place, moment in dates.items():
        body = body.replace(place, moment.strftime("%Y-%m-%d") if moment else "")
    return body


def encoded(text):
    """(the transfer encoding, the text in it, its lines ended for sendmail)."""
    lines = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n").split("\n")
    text = "\n".join(lines) + "\n"
    if text.isascii() and max(map(len, lines)) < 998:
        return "7bit", text.encode()
    data = text.replace("\n", "\r\n").encode()
    rows = (binascii.b2a_base64(data[at : at + 57]) for at in range(0, len(data), 57))
    return "base64", b"".join(rows)


# Sending


class Unconfirmed(Exception):
    """All of the answer was taken, and nobody knows what became of it."""


def send(message: bytes, sender: str, sendmail: str) -> None:
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
        threading.Thread(target=fill, args=(write_end, message), daemon=True).start()
        with process.stderr:
            words, is_over = watched(process, time.monotonic() + PATIENCE)
        if not is_over:
            give_up(process, has_unread(read_end))
    finally:
        os.close(read_end)
    if process.returncode:
        raise OSError(f"ended with {process.returncode} {first_line(words)}".rstrip())


def fill(write_end: int, message: bytes) -> None:
    """Write the message; a program that reads none of it says so by its status."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(write_end, "wb") as stream:
        stream.write(message)


def has_unread(read_end: int) -> bool:
    """Whether a part of the message has not been read; our copy of the pipe tells."""
    return fcntl.ioctl(read_end, termios.FIONREAD, bytes(4)) != bytes(4)


def give_up(process: subprocess.Popen, was_not_read: bool) -> None:
    """What was not read has not been sent, and may be sent again."""
    stop(process)
    text = f"no end after {PATIENCE} s"
    raise OSError(text) if was_not_read else Unconfirmed(text)


def watched(process: subprocess.Popen, deadline: float) -> tuple[bytes, bool]:
    """The beginning of what the program says, and whether it has ended in time."""
    words = b""
    while (left := deadline - time.monotonic()) > 0:
        has_ended = process.poll() is not None
        patience = 0 if has_ended else min(left, SHORTLY)
        ready, _out, _exceptional = select.select([process.stderr], [], [], patience)
        if not ready and has_ended:
            return words, True  # what it has left behind may hold the pipe for ever
        if ready:
            said = os.read(process.stderr.fileno(), CHUNK)
            words = (words + said)[:LONGEST_WORDS]
            if not said:
                return words, ends(process, deadline)
    return words, process.poll() is not None


def ends(process: subprocess.Popen, deadline: float) -> bool:
    """Whether the program ends in time, now that it says no more."""
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def stop(process: subprocess.Popen) -> None:
    """End the program and all that it has started, which would go on without it."""
    for kind, patience in ((signal.SIGTERM, SHORT_PATIENCE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def first_line(words: bytes) -> str:
    return words.decode(errors="replace").partition("\n")[0]
