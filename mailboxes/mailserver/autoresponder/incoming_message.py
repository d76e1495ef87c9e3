"""The header of the incoming message.

It is untrusted input: each step takes time and memory in proportion to a header of at most
MAX_HEADER_BYTES, whatever it contains.
"""

import re
from typing import BinaryIO

MAX_HEADER_BYTES = 256 * 1024
READ_CHUNK_BYTES = 64 * 1024
HEADER_FIELD_RE = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


class IncomingMessage:
    """The envelope sender, and header fields by their names in lower case."""

    def __init__(self, sender: str, fields: dict[str, list[str]], is_header_complete: bool) -> None:
        self.sender, self.fields = sender, fields
        self.is_header_complete = is_header_complete

    def all(self, name: str) -> list[str]:
        return self.fields.get(name, [])

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def addresses(self, *names: str) -> list[str]:
        """Return every word with an `@` in these fields, in lower case."""
        text = " ".join(value for name in names for value in self.all(name))
        return [word for word in re.split(r'[\s<>,;:"()]+', text.lower()) if "@" in word]


def read_message(stream: BinaryIO, sender: str) -> IncomingMessage:
    """Read all of the message, since Postfix waits for it, and return its header."""
    header, is_complete = read_header(stream)
    while stream.read(READ_CHUNK_BYTES):
        pass
    sender = sender.removeprefix("<").removesuffix(">")
    return IncomingMessage(sender, parse_fields(header), is_complete)


def read_header(stream: BinaryIO) -> tuple[bytes, bool]:
    """Return the lines before the first empty one, and whether they are all of the header."""
    lines, remaining = [], MAX_HEADER_BYTES
    while line := stream.readline(remaining):
        if not line.strip(b"\r\n"):
            break
        lines.append(line)
        remaining -= len(line)
        if remaining <= 0:
            return b"".join(lines), False
    return b"".join(lines), True


def parse_fields(header: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in re.sub(rb"\r?\n(?=[ \t])", b"", header).split(b"\n"):
        if match := HEADER_FIELD_RE.match(line):
            name, value = (part.decode(errors="replace").strip() for part in match.groups())
            fields.setdefault(name.lower(), []).append(value)
    return fields
