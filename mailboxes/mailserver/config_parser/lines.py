"""Lines of files, and where a file lies in a folder that may be a copy."""

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from mailadmin.console import make_printable

PASSWORD_MASK = "********"  # noqa: S105
MAX_FILE_BYTES = 100_000_000  # bytes of a file; a list of a million mailboxes is smaller
SECRET_PATTERNS = (
    # a whole value: `password = …` of a map file, `bind_pw = …`, passwords for other servers
    # (not `nopassword = y` or `pass = yes`), keys of Dovecot's HTTP interfaces
    re.compile(
        r"^(\s*(?!nopassword\b)(?:\w*(?:password|passwd|_pw|_pass|secret)|\w+_sasl_password_maps"
        r"|dnpass|pass(?!\s*=\s*(?:yes|no|[yn01])\s*$)"
        r"|\w+_api_(?:key|header)|\w+_hash_nonce)\s*=\s*)(.+)$",
        re.I,
    ),
    # a word among others: `connect = host=… password=…`
    re.compile(r"(\b(?:password|passwd|pwd|(?<=\S\s)pass)=)('[^']*'|\"[^\"]*\"|\S+)", re.I),
    # the userinfo of a URL
    re.compile(r"(//[^/\s:@]*:)([^/\s@]+)(?=@)"),
)


@dataclass(frozen=True)
class Line:
    """One line of a file, as it stands there."""

    file: str
    number: int
    text: str

    def __str__(self):
        return f"{self.file}:{self.number}" if self.number else self.file

    @property
    def shown(self):
        """The line for other people's eyes: passwords masked, no byte that a terminal obeys."""
        return mask_secrets(self.text.strip())


def mask_secrets(text):
    for secret in SECRET_PATTERNS:
        text = secret.sub(rf"\g<1>{PASSWORD_MASK}", text)
    return make_printable(text)


def contains_secret(text):
    """Whether a part of the line is for few eyes."""
    return mask_secrets(text) != make_printable(text)


@dataclass(frozen=True)
class ConfigSetting:
    """A value by its name, with the lines it was read from."""

    name: str
    value: str
    lines: tuple[Line, ...]

    @property
    def line(self):
        return self.lines[0]

    def find_line(self, word):
        """The line on which this word of the value stands."""
        return next((line for line in self.lines if word in line.text), self.line)


@dataclass(frozen=True)
class ConfigProblem:
    """What could not be read, and why."""

    code: str
    line: Line
    reason: str = ""


def read_text(path):
    """The text of a file, whatever its bytes are; OSError where there is none that can be one."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    if path.stat().st_size > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # which no name of a file can hold


def split_physical_lines(path, text):
    return [Line(str(path), number, line) for number, line in enumerate(text.split("\n"), 1)]


def resolve_path(directory, path, homes):
    """Where a file of the configuration lies: in the folder, should that be a copy of its home."""
    path, directory = Path(path), Path(directory)
    if not path.is_absolute():
        return directory / path
    if str(directory) in homes:
        return path
    for home in map(Path, homes):
        if path.is_relative_to(home):
            return directory / path.relative_to(home)
        beside = (
            directory.parent / path.relative_to("/etc") if path.is_relative_to("/etc") else None
        )
        if beside and directory.name == home.name and os.path.exists(beside):
            return beside
    return path
