"""The reply as a message, and sending it. No value can begin a header field of its own."""

import binascii
import contextlib
import datetime
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
from typing import IO, NoReturn, cast

from mailboxes.mailserver.autoresponder.incoming_message import IncomingMessage
from mailboxes.mailserver.autoresponder.rules import X_LOOP_VALUE
from mailboxes.mailserver.autoresponder.vacation_rows import VacationRow

CONTROL_CHARACTER_RE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
MESSAGE_ID_RE = re.compile(r"<[!-;=?-~]{1,500}>")
MAX_SUBJECT_LENGTH = 500
MAX_REFERENCES = 20
SENDMAIL_TIMEOUT_SECONDS = 60  # pipe(8) has a thousand
TERMINATE_TIMEOUT_SECONDS = 5
POLL_SECONDS = 0.05
READ_CHUNK_BYTES = 64 * 1024
MAX_STDERR_BYTES = 200  # that are logged


def compose_reply(vacation: VacationRow, message: IncomingMessage, now: datetime.datetime) -> bytes:
    encoding, body = encode_body(build_body(vacation))
    header = {
        "From": format_from_header(vacation),
        "To": message.sender,
        "Subject": encode_header("Subject", build_subject(vacation, message)),
        "Date": now.strftime("%a, %d %b %Y %H:%M:%S %z"),
        "Message-ID": f"<autoreply.{os.urandom(12).hex()}@{vacation.email.rpartition('@')[2]}>",
        **build_thread_headers(message),
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "X-Loop": X_LOOP_VALUE,
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": encoding,
    }
    # No Precedence: RFC 3834 recommends none, and an empty envelope sender serves everybody.
    lines = "".join(f"{name}: {value}\n" for name, value in header.items())
    return lines.encode("ascii") + b"\n" + body


# Header


def collapse_whitespace(text: str) -> str:
    return " ".join(CONTROL_CHARACTER_RE.sub(" ", text).split())


def encode_header(name: str, text: str) -> str:
    """Return the text for a header, encoded and folded where necessary."""
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    return Header(text, charset, header_name=name, maxlinelen=76).encode()


def format_from_header(vacation: VacationRow) -> str:
    """Return name and address; the name is quoted or encoded, so it cannot be another address."""
    name = collapse_whitespace(vacation.name)
    if not name:
        return vacation.email
    if not name.isascii() or len(name) > 60 or "=?" in name:
        return f"{Header(name, 'utf-8', header_name='From').encode()}\n <{vacation.email}>"
    quoted = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}" <{vacation.email}>'


def build_subject(vacation: VacationRow, message: IncomingMessage) -> str:
    text = vacation.subject
    if "$SUBJECT" in text:
        text = text.replace(
            "$SUBJECT", decode_header_value(message.first("subject")[:MAX_SUBJECT_LENGTH])
        )
    return collapse_whitespace(text)[:MAX_SUBJECT_LENGTH]


def decode_header_value(value: str) -> str:
    """Return the decoded header; unchanged if it is not encoded as it claims."""
    try:
        return "".join(decode_header_part(*part) for part in decode_header(value))
    except (HeaderParseError, LookupError, ValueError):
        return value


def decode_header_part(part: str | bytes, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    return part.decode(charset or "raw-unicode-escape", "replace")


def build_thread_headers(message: IncomingMessage) -> dict[str, str]:
    """Return the fields by which mail programs show the reply below the message."""
    own = MESSAGE_ID_RE.findall(message.first("message-id"))[:1]
    if not own:
        return {}
    references = MESSAGE_ID_RE.findall(message.first("references") or message.first("in-reply-to"))
    return {"In-Reply-To": own[0], "References": "\n ".join(references[-MAX_REFERENCES:] + own)}


# Body


def build_body(vacation: VacationRow) -> str:
    """Return the owner's text with PostfixAdmin's placeholders of dates replaced."""
    body = vacation.body
    dates = {"<%From_Date>": vacation.activefrom, "<%Until_Date>": vacation.activeuntil}
    for placeholder, date in dates.items():
        body = body.replace(placeholder, date.strftime("%Y-%m-%d") if date else "")
    return body


def encode_body(text: str) -> tuple[str, bytes]:
    """Return the transfer encoding, and the encoded text with line ends for sendmail."""
    text = CONTROL_CHARACTER_RE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = text.rstrip("\n").split("\n")
    text = "\n".join(lines) + "\n"
    if text.isascii() and max(map(len, lines)) < 998:
        return "7bit", text.encode()
    data = text.replace("\n", "\r\n").encode()
    rows = (binascii.b2a_base64(data[at : at + 57]) for at in range(0, len(data), 57))
    return "base64", b"".join(rows)


# Sending


class DeliveryUnconfirmed(Exception):
    """Sendmail has read all of the reply, and it is unknown whether it was sent."""


def run_sendmail(message: bytes, sender: str, sendmail: str) -> None:
    """Send with an empty envelope sender, so that nothing bounces; raise OSError on failure."""
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
        deadline = time.monotonic() + SENDMAIL_TIMEOUT_SECONDS
        with cast(IO[bytes], process.stderr) as stderr:  # a pipe
            output, has_ended = read_until_exit(process, stderr, deadline)
        if not has_ended:
            abandon_sendmail(process, has_unread_bytes(read_end))
    finally:
        os.close(read_end)
    if process.returncode:
        raise OSError(f"exited with {process.returncode} {decode_first_line(output)}".rstrip())


def write_message(write_end: int, message: bytes) -> None:
    """Write the message; a program that does not read it reports that by its exit status."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(write_end, "wb") as stream:
        stream.write(message)


def has_unread_bytes(read_end: int) -> bool:
    """Check our copy of the pipe for a part of the message that has not been read."""
    return fcntl.ioctl(read_end, termios.FIONREAD, bytes(4)) != bytes(4)


def abandon_sendmail(process: "subprocess.Popen[bytes]", was_not_read: bool) -> NoReturn:
    """End sendmail; a message that it has not read has not been sent, and may be sent again."""
    terminate_process_group(process)
    text = f"timed out after {SENDMAIL_TIMEOUT_SECONDS} s"
    raise OSError(text) if was_not_read else DeliveryUnconfirmed(text)


def read_until_exit(
    process: "subprocess.Popen[bytes]", stderr: IO[bytes], deadline: float
) -> tuple[bytes, bool]:
    """Return the beginning of the program's output, and whether it has ended in time."""
    output = b""
    while (left := deadline - time.monotonic()) > 0:
        has_ended = process.poll() is not None
        timeout = 0 if has_ended else min(left, POLL_SECONDS)
        ready, _out, _exceptional = select.select([stderr], [], [], timeout)
        if not ready and has_ended:
            return output, True  # its child processes may keep the pipe open for ever
        if ready:
            chunk = os.read(stderr.fileno(), READ_CHUNK_BYTES)
            output = (output + chunk)[:MAX_STDERR_BYTES]
            if not chunk:
                return output, exits_in_time(process, deadline)
    return output, process.poll() is not None


def exits_in_time(process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Wait for a program that has closed its output."""
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True


def terminate_process_group(process: "subprocess.Popen[bytes]") -> None:
    """End the program and its child processes, which would go on without it."""
    for kind, timeout in ((signal.SIGTERM, TERMINATE_TIMEOUT_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)


def decode_first_line(output: bytes) -> str:
    return output.decode(errors="replace").partition("\n")[0]
