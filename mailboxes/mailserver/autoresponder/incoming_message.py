"""The mail that came, as far as a responder has to know it: its header.

Read by hand, since a stranger wrote it: each step takes time and memory in proportion to a header
that is never longer than LONGEST, whatever stands in it.
"""

import re

MAX_HEADER_BYTES = 256 * 1024
READ_CHUNK_BYTES = 64 * 1024
HEADER_FIELD_RE = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)


class IncomingMessage:
    """Its sender, and fields by their names in lower case; `is_whole`: none of them is missing."""

    def __init__(self, sender, fields, is_whole):
        self.sender, self.fields, self.is_header_complete = sender, fields, is_whole

    def all(self, name):
        return self.fields.get(name, [])

    def first(self, name):
        return next(iter(self.all(name)), "")

    def addresses(self, *names):
        """What could be an address in these fields, in lower case."""
        text = " ".join(value for name in names for value in self.all(name))
        return [word for word in re.split(r'[\s<>,;:"()]+', text.lower()) if "@" in word]


def read_message(stream, sender):
    """The header of the mail; all of the mail is read, since Postfix waits until it is."""
    head, is_whole = read_header(stream)
    while stream.read(READ_CHUNK_BYTES):
        pass
    return IncomingMessage(sender.removeprefix("<").removesuffix(">"), parse_fields(head), is_whole)


def read_header(stream):
    """(the lines before the first empty one, whether that came in time)."""
    lines, room = [], MAX_HEADER_BYTES
    while line := stream.readline(room):
        if not line.strip(b"\r\n"):
            break
        lines.append(line)
        room -= len(line)
        if room <= 0:
            return b"".join(lines), False
    return b"".join(lines), True


def parse_fields(head):
    found = {}
    for line in re.sub(rb"\r?\n(?=[ \t])", b"", head).split(b"\n"):
        if field := HEADER_FIELD_RE.match(line):
            name, value = (part.decode(errors="replace").strip() for part in field.groups())
            found.setdefault(name.lower(), []).append(value)
    return found
