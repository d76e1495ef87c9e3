"""Dovecot's passwd-files: who logs in with what, and how much his mail may be."""

import re
from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext as _

from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import read_text
from mailboxes.transfer.entries import SourceError

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
    """A file, what its passwords are without a prefix, and the domain that it is for, if one."""

    path: Path
    scheme: str = ""
    domain: str = ""


def iter_configured_files(folders, reaches):
    """The passwd-files that Dovecot's configuration in one of these folders names."""
    for folder in folders:
        if (folder / "dovecot.conf").is_file():
            dovecot = DovecotFiles(folder, reaches)
            for block in dovecot.blocks("passdb"):
                if PASSWD_FILE_DRIVER in (block.value("driver"), block.name):
                    yield from iter_passdb_files(dovecot, block, reaches)


def iter_passdb_files(dovecot, block, reaches):
    """The files that a passdb means: one, or one for each domain."""
    *options, path = (block.value("args") or block.value("passwd_file_path")).split() or [""]
    scheme = next((word[7:] for word in options if word.startswith("scheme=")), "")
    scheme = scheme or block.value("default_password_scheme")
    if not DOMAIN_VARIABLE_RE.search(path):
        yield PasswdFile(Path(dovecot.resolve_path(path)), scheme)
        return
    start = Path(dovecot.resolve_path(DOMAIN_VARIABLE_RE.split(path)[0] or "/"))
    pattern = "[^/]*".join(re.escape(part) for part in DOMAIN_VARIABLE_RE.split(path)[1:])
    fitting = re.compile(rf"{re.escape(str(start))}/?(?P<domain>[^/]+){pattern}")
    for found in sorted(start.rglob("*")) if start.is_dir() and reaches(start) else ():
        if (match := fitting.fullmatch(str(found))) and found.is_file():
            yield PasswdFile(found, scheme, match["domain"])


def is_passwd_file(text):
    """Whether this looks like one: every line is a user and a hash."""
    lines = [line for _number, line in iter_passwd_file_lines(text)]
    return bool(lines) and all(PASSWD_LINE_RE.fullmatch(line) for line in lines)


def iter_passwd_file_lines(text):
    """Numbers and lines that say something; here no line goes on in the next."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.strip() and not line.startswith("#"):
            yield number, line


def iter_login_rows(file, files):
    """Rows of LOGINS."""
    try:
        text = read_text(file.path)
    except OSError as error:
        raise SourceError(error.strerror, files.shown(file.path)) from error
    for number, line in iter_passwd_file_lines(text):
        place = files.place(file.path, number)
        if files.check_is_text(line, place):
            yield from parse_login(line, file, place, files.losses)


def parse_login(line, file, place, losses):
    fields = dict(zip(FIELDS, line.split(":", len(FIELDS) - 1), strict=False))
    address = build_address(fields["user"], file.domain)
    if not address:
        losses.add(_("A login that is no address is left out."), place)
        return
    note_unsupported_fields(fields, place, losses)
    quota = parse_quota(fields.get("extra", ""))
    yield address, fields.get("password", ""), quota, file.scheme, place


def build_address(user, domain):
    if "@" in user:
        return user
    return f"{user}@{domain}" if domain else ""


def note_unsupported_fields(fields, place, losses):
    for names in sorted(
        {UNSUPPORTED_FIELDS[name] for name in UNSUPPORTED_FIELDS if fields.get(name)}
    ):
        text = _("What a passwd-file says of one user is not carried over: %(names)s.")
        losses.add(text % {"names": names}, place)
    for word in fields.get("extra", "").split():
        if not QUOTA_RE.fullmatch(word):
            text = _("What a passwd-file says of one user is not carried over: %(names)s.")
            losses.add(text % {"names": word.partition("=")[0]}, place)


def parse_quota(extra):
    """The bytes of `quota_rule=*:storage=100M`; storage is in kB where it does not say."""
    found = next(filter(None, map(QUOTA_RE.fullmatch, extra.split())), None)
    if not found:
        return None
    kind, number, unit = found.groups()
    unit = unit.upper() or ("K" if kind and kind.lower() == "storage" else "B")
    return str(int(number) * UNIT_BYTES[unit])
