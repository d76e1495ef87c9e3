"""The answer as a mail, written by hand: whatever its parts hold, they begin no header field."""

import binascii
import os
import re
import subprocess
from email.errors import HeaderParseError
from email.header import Header, decode_header

from mailboxes.mailserver.autoreply.rules import OURS

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")
LONGEST_SUBJECT = 500
MOST_REFERENCES = 20


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


def send(message, sender, sendmail):
    """Hand over with an empty envelope sender, so that nothing ever comes back; or OSError."""
    command = [sendmail, "-i", "-f", "<>", "--", sender]
    process = subprocess.run(  # noqa: S603 (no shell, and `sender` is a plain address)
        command, input=message, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    if process.returncode:
        words = process.stderr[:200].decode(errors="replace").partition("\n")[0]
        raise OSError(f"ended with {process.returncode} {words}")
