"""Dovecot's passwd-files: logins with their hashes and quotas."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import read_text
from mailboxes.transfer.entries import Losses, SourceError
from mailboxes.transfer.readers.mapfiles import MapFiles

LOGIN_COLUMNS = ["address", "password", "quota", "scheme", "place"]
PASSWD_FILE_DRIVER = "passwd-file"  # noqa: S105
FIELDS = ("user", "password", "uid", "gid", "gecos", "home", "shell", "extra")
UNSUPPORTED_FIELDS = {
    "uid": "uid, gid",
    "gid": "uid, gid",
    "home": "home",
}
DOMAIN_VARIABLE_RE = re.compile(r"%(?:L?d|\{[^}]*domain[^}]*\})")
USER_PATTERN = r"[^\s:@]+(?:@[^\s:@]+)?"
PASSWD_LINE_RE = re.compile(
    rf"{USER_PATTERN}:(?:\{{[\w.-]+\}}[^:]*|\$\w+\$[^:]*|[./\w]{{13}}|[0-9a-fA-F]{{32,128}}|[!*][^:]*|):\S*.*"
)
QUOTA_RE = re.compile(
    r"(?:userdb_)?quota_(?:rule=\*:(storage|bytes)|storage_size)=(\d+)([BKMGT]?)", re.I
)
UNIT_BYTES = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class PasswdFile(NamedTuple):
    """A passwd-file, the scheme of hashes without prefix, and its domain if it is for one only."""

    path: Path
    scheme: str = ""
    domain: str = ""


def iter_configured_files(
    folders: Iterable[Path], is_in_source: Callable[[Path], bool]
) -> Iterator[PasswdFile]:
    """Yield the passwd-files that Dovecot's configuration in these folders names."""
    for folder in folders:
        if (folder / "dovecot.conf").is_file():
            dovecot = DovecotFiles(folder, is_in_source)
            for block in dovecot.blocks("passdb"):
                if PASSWD_FILE_DRIVER in (block.value("driver"), block.name):
                    yield from iter_passdb_files(dovecot, block, is_in_source)


def iter_passdb_files(
    dovecot: DovecotFiles, block: Any, is_in_source: Callable[[Path], bool]
) -> Iterator[PasswdFile]:
    """Yield the files of a passdb: one, or one for each domain."""
    *options, path = (block.value("args") or block.value("passwd_file_path")).split() or [""]
    scheme = next((word[7:] for word in options if word.startswith("scheme=")), "")
    scheme = scheme or block.value("default_password_scheme")
    if not DOMAIN_VARIABLE_RE.search(path):
        yield PasswdFile(Path(dovecot.resolve_path(path)), scheme)
        return
    folder = Path(dovecot.resolve_path(DOMAIN_VARIABLE_RE.split(path)[0] or "/"))
    pattern = "[^/]*".join(re.escape(part) for part in DOMAIN_VARIABLE_RE.split(path)[1:])
    pattern_re = re.compile(rf"{re.escape(str(folder))}/?(?P<domain>[^/]+){pattern}")
    for path_found in sorted(folder.rglob("*")) if folder.is_dir() and is_in_source(folder) else ():
        if (match := pattern_re.fullmatch(str(path_found))) and path_found.is_file():
            yield PasswdFile(path_found, scheme, match["domain"])


def is_passwd_file(text: str) -> bool:
    """Tell whether a text looks like a passwd-file: every line is a user and a hash."""
    lines = [line for _number, line in iter_passwd_file_lines(text)]
    return bool(lines) and all(PASSWD_LINE_RE.fullmatch(line) for line in lines)


def iter_passwd_file_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line), without comments and empty lines. Lines are never continued."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.strip() and not line.startswith("#"):
            yield number, line


def iter_login_rows(file: PasswdFile, files: MapFiles) -> Iterator[tuple[Any, ...]]:
    """Yield rows of LOGIN_COLUMNS."""
    try:
        text = read_text(file.path)
    except OSError as error:
        raise SourceError(error.strerror, files.display_path(file.path)) from error
    for number, line in iter_passwd_file_lines(text):
        place = files.format_place(file.path, number)
        if files.check_is_text(line, place):
            yield from parse_login(line, file, place, files.losses)


def parse_login(
    line: str, file: PasswdFile, place: str, losses: Losses
) -> Iterator[tuple[Any, ...]]:
    fields = dict(zip(FIELDS, line.split(":", len(FIELDS) - 1), strict=False))
    address = build_address(fields["user"], file.domain)
    if not address:
        losses.add(_("Login that is not an email address: skipped."), place)
        return
    note_unsupported_fields(fields, place, losses)
    quota = parse_quota(fields.get("extra", ""))
    yield address, fields.get("password", ""), quota, file.scheme, place


def build_address(user: str, domain: str) -> str:
    if "@" in user:
        return user
    return f"{user}@{domain}" if domain else ""


def note_unsupported_fields(fields: dict[str, str], place: str, losses: Losses) -> None:
    for names in sorted(
        {UNSUPPORTED_FIELDS[name] for name in UNSUPPORTED_FIELDS if fields.get(name)}
    ):
        text = _("Settings of individual users in the passwd-file: not imported (%(names)s).")
        losses.add(text % {"names": names}, place)
    for word in fields.get("extra", "").split():
        if not QUOTA_RE.fullmatch(word):
            text = _("Settings of individual users in the passwd-file: not imported (%(names)s).")
            losses.add(text % {"names": word.partition("=")[0]}, place)


def parse_quota(extra: str) -> str | None:
    """Return the bytes of `quota_rule=*:storage=100M`; storage without a unit is in kB."""
    match = next(filter(None, map(QUOTA_RE.fullmatch, extra.split())), None)
    if not match:
        return None
    kind, number, unit = match.groups()
    unit = unit.upper() or ("K" if kind and kind.lower() == "storage" else "B")
    return str(int(number) * UNIT_BYTES[unit])
