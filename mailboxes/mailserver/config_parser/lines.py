"""Lines and settings with their position in a file; paths in a folder that may be a copy."""

import errno
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailadmin.console import make_printable

PASSWORD_MASK = "********"  # noqa: S105
MAX_FILE_BYTES = 100_000_000  # a list of a million mailboxes is smaller
SECRET_PATTERNS = (
    # a whole value: `password = …` of a map file, `bind_pw = …`, passwords for remote servers
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
    """A line of a file, with its number; number 0 stands for the file as a whole."""

    file: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}" if self.number else self.file

    @property
    def shown(self) -> str:
        """Return the line for display: passwords masked, no control characters."""
        return mask_secrets(self.text.strip())


def mask_secrets(text: str) -> str:
    for pattern in SECRET_PATTERNS:
        text = pattern.sub(rf"\g<1>{PASSWORD_MASK}", text)
    return make_printable(text)


def contains_secret(text: str) -> bool:
    """Check for passwords in a part of a line."""
    return mask_secrets(text) != make_printable(text)


@dataclass(frozen=True)
class ConfigSetting:
    """A setting with the lines it was read from."""

    name: str
    value: str
    lines: tuple[Line, ...]

    @property
    def line(self) -> Line:
        return self.lines[0]

    def find_line(self, word: str) -> Line:
        """Return the line that holds this word of the value."""
        return next((line for line in self.lines if word in line.text), self.line)


@dataclass(frozen=True)
class LogicalLine:
    """A line of Postfix's files, with the indented lines that continue it."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        return "".join(line.text for line in self.lines)


@dataclass(frozen=True)
class ConfigProblem:
    """A part of a file that could not be read, and the reason."""

    code: str
    line: Line
    reason: str = ""


def read_text(path: str | Path) -> str:
    """Return the text of a regular file, decoding any bytes; raise OSError for all else."""
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if path.stat().st_size > MAX_FILE_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")  # a file name cannot contain NUL


def split_physical_lines(path: str | Path, text: str) -> list[Line]:
    return [Line(str(path), number, line) for number, line in enumerate(text.split("\n"), 1)]


def resolve_path(directory: str | Path, path: str | Path, homes: Iterable[str]) -> Path:
    """Return the path of a file, inside `directory` if that is a copy of one of `homes`."""
    path, directory = Path(path), Path(directory)
    if not path.is_absolute():
        return directory / path
    if str(directory) in homes:
        return path
    for home in map(Path, homes):
        if path.is_relative_to(home):
            return directory / path.relative_to(home)
        if directory.name == home.name and path.is_relative_to("/etc"):
            sibling = directory.parent / path.relative_to("/etc")
            if os.path.exists(sibling):
                return sibling
    return path
