"""Where maildirs are, by a template, and which paths belong to mailboxes."""

import hashlib
import os
import posixpath
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from django.conf import settings

ESCAPE_RE = re.compile(rb"\\x([0-9a-f]{2})")


class FoundMaildir(NamedTuple):
    """A folder in the place and shape of a maildir, and whose it is by its path."""

    path: str  # below the mail root, as os.fsdecode gives it
    domain: str
    mailbox: str


class MaildirRule:
    """The places of maildirs, such as `{domain}/{local_part}/`, as a pattern of each component.

    What follows the last placeholder is inside of the folder of a mailbox, which is archived whole.
    """

    def __init__(self, template: str) -> None:
        parts = [part for part in template.split("/") if part not in ("", ".")]
        depth = max(n for n, part in enumerate(parts, 1) if "{" in part)
        self.components = [ComponentPattern.build(part) for part in parts[:depth]]
        self.inside = parts[depth:]  # of the folder: where `cur`, `new` and `tmp` are
        self.template = "/".join(parts)

    @classmethod
    def from_settings(cls) -> Self:
        return cls(settings.MAILADMIN_MAILDIRS_PATH or settings.MAILADMIN_MAILDIR)

    def build_path(self, username: str) -> str:
        """Return where the folder of this mailbox would be."""
        local_part, _at, domain = username.rpartition("@")
        values = {"local_part": local_part, "domain": domain, "username": username}
        return self.template.format(**values)

    def match(self, names: list[str]) -> FoundMaildir | None:
        """Return whose folder this is; None if the rule says that mailboxes are elsewhere."""
        if len(names) != len(self.components):
            return None
        values: dict[str, str] = {}
        for pattern, name in zip(self.components, names, strict=True):
            found = pattern.match(name)
            if found is None or any(values.get(key, text) != text for key, text in found.items()):
                return None
            values |= found
        local_part, _at, domain = values.get("username", "").rpartition("@")
        domain = values.get("domain", domain)
        mailbox = f"{values.get('local_part', local_part)}@{domain}"
        if values.get("username", mailbox) != mailbox:
            return None
        return FoundMaildir("/".join(names), domain, mailbox)


class ComponentPattern(NamedTuple):
    """The pattern of one folder's name, with the placeholders in the order of its groups."""

    regex: re.Pattern[str]
    fields: tuple[str, ...]

    @classmethod
    def build(cls, part: str) -> Self:
        parsed = list(string.Formatter().parse(part))
        pattern = "".join(re.escape(text) + ("(.+)" if name else "") for text, name, *_ in parsed)
        return cls(re.compile(pattern, re.DOTALL), tuple(name for _, name, *_ in parsed if name))

    def match(self, name: str) -> dict[str, str] | None:
        """Return placeholder → text; a hidden folder belongs to no mailbox."""
        is_possible = not name.startswith(".") and "\0" not in name
        found = self.regex.fullmatch(name) if is_possible else None
        if found is None:
            return None
        values = dict(zip(self.fields, found.groups(), strict=True))
        is_address = "@" in values.get("username", "@")
        return values if is_address else None


class MailboxPaths:
    """The paths of all mailboxes, to find out whether a folder may have the mail of one of them.

    Compared regardless of case and of Unicode forms: in doubt, a folder belongs to a mailbox.
    """

    def __init__(self, rule: MaildirRule, rows: Iterable[tuple[str, str]]) -> None:
        root = settings.MAILADMIN_MAILDIRS_ROOT
        # As it is named, and where it is: it may be a symbolic link
        self.roots = {path.strip("/") for path in (os.path.normpath(root), os.path.realpath(root))}
        self.count = 0
        self.usernames: set[str] = set()
        self.paths: set[str] = set()
        self.parents: set[str] = set()  # of the paths
        for username, maildir in rows:
            self.add(rule, username, maildir)

    def add(self, rule: MaildirRule, username: str, maildir: str) -> None:
        self.count += 1
        self.usernames.add(fold_path(username))
        for path in {rule.build_path(username), self.get_relative(maildir)} - {""}:
            key = fold_path(path)
            if key not in self.paths:
                self.paths.add(key)
                self.parents.update(iter_parents(key))

    def get_relative(self, maildir: str) -> str:
        """Return the path below the mail root; empty for what is outside of it, or the root."""
        path = posixpath.normpath("/" + maildir.replace("\\", "/")).strip("/")
        if maildir.startswith("/"):
            for root in self.roots:
                if path.startswith(root + "/"):
                    return path.removeprefix(root + "/")
        return path

    def may_own(self, found: FoundMaildir) -> bool:
        """Return whether a mailbox is in this folder, in a parent of it or in a folder inside."""
        if any(fold_path(name) in self.usernames for name in iter_spellings(found.mailbox)):
            return True
        for path in iter_spellings(found.path):
            key = fold_path(path)
            if key in self.paths or key in self.parents:
                return True
            if any(parent in self.paths for parent in iter_parents(key)):
                return True
        return False


def iter_parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def iter_spellings(path: str) -> Iterator[str]:
    """Yield a path as it is, and as a database may hold it whose charset is another."""
    yield path
    if not path.isascii():
        yield os.fsencode(path).decode("latin-1")
        yield os.fsencode(path).decode("cp1252", "replace")


def fold_path(path: str) -> str:
    """Return a path without the differences that a database or a file system may ignore."""
    parts = unicodedata.normalize("NFKC", path).casefold().split("/")
    return "/".join(part.strip() for part in parts if part not in ("", "."))


def escape_path(path: str) -> str:
    r"""Return a path as printable text: other bytes, and `\` itself, as `\x` and two digits."""
    return "".join(
        letter
        if letter.isprintable() and letter != "\\"
        else "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))
        for letter in path
    )


def unescape_path(text: str) -> str:
    """Return the path that `escape_path` was given."""
    raw = ESCAPE_RE.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    return os.fsdecode(raw)


def digest_path(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()
