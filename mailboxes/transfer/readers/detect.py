"""Postfix's maps without a main.cf: the kind of each file is detected from its content."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mailadmin.translation import compose, decode_text
from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser.lines import read_text
from mailboxes.models.goto import split_goto
from mailboxes.transfer.entries import Losses, SourceError
from mailboxes.transfer.readers import passwdfiles
from mailboxes.transfer.readers.mapfiles import MapFiles
from mailboxes.transfer.readers.passwdfiles import PasswdFile
from mailboxes.transfer.readers.staging import Staging

MAX_FILE_BYTES = 100_000_000
COMPILED_SUFFIXES = (".db", ".lmdb", ".cdb", ".pag", ".dir")
DOMAIN_RE = re.compile(r"[\w-]+(?:\.[\w-]+)+", re.ASCII)
ADDRESS_RE = re.compile(r"[^\s@]*@[\w.-]+", re.ASCII)
TRANSPORT_RE = re.compile(r"[\w-]*:\S*|[\w-]+:\S.*", re.ASCII)
PATTERN_RE = re.compile(r"\*|\.?[\w.-]+|[^\s@]+@[\w.-]+", re.ASCII)
SENDER_MAP_WORDS = ("sender", "login")  # in names of maps that look like aliases


def load_by_content(files: MapFiles, paths: Iterable[Path], staging: Staging) -> None:
    """Load every file's rows into the table that fits its content."""
    for path in paths:
        map_type = detect_map_type(files, path)
        if map_type:
            LOADERS[map_type](files, path, staging)
        else:
            text = _("File that does not list domains, mailboxes or aliases: skipped.")
            files.losses.add(text, files.display_path(path))
    add_implied_domains(staging, files.losses)


def detect_map_type(files: MapFiles, path: Path) -> str:
    """Return a key of LOADERS, or an empty string."""
    if path.suffix in COMPILED_SUFFIXES or path.stat().st_size > MAX_FILE_BYTES:
        return ""
    try:
        text = read_text(path)
    except OSError as error:
        raise SourceError(error.strerror, files.display_path(path)) from error
    if passwdfiles.is_passwd_file(text):
        return "logins"
    if "\N{REPLACEMENT CHARACTER}" in text or any(word in path.name for word in SENDER_MAP_WORDS):
        return ""
    rows = [(key, value) for key, value, _place in files.iter_file_rows(path)]
    return next((map_type for map_type, matches in DETECTORS.items() if rows and matches(rows)), "")


def is_transport_map(rows: list[tuple[str, str]]) -> bool:
    return all(PATTERN_RE.fullmatch(key) and TRANSPORT_RE.fullmatch(value) for key, value in rows)


def is_mailbox_map(rows: list[tuple[str, str]]) -> bool:
    return all(ADDRESS_RE.fullmatch(key) and re.fullmatch(r"\S*/\S*", value) for key, value in rows)


def is_domain_list(rows: list[tuple[str, str]]) -> bool:
    return all(DOMAIN_RE.fullmatch(key) for key, _value in rows)


def is_alias_map(rows: list[tuple[str, str]]) -> bool:
    return all(is_domain_key(key) or is_alias_row(key, value) for key, value in rows)


def is_domain_key(key: str) -> bool:
    return bool(DOMAIN_RE.fullmatch(key))


def is_alias_row(key: str, value: str) -> bool:
    targets = split_goto(value)
    return bool(ADDRESS_RE.fullmatch(key) and targets) and all(
        re.fullmatch(r"[^\s:/]+", target) for target in targets
    )


DETECTORS = {
    "transports": is_transport_map,
    "mailboxes": is_mailbox_map,
    "domains": is_domain_list,
    "aliases": is_alias_map,
}


# Loading


def load_domain_list(files: MapFiles, path: Path, staging: Staging) -> None:
    domain_class = "relay" if "relay" in path.name else "mailbox"
    staging.insert_rows(
        "_domains",
        ((key, domain_class, place) for key, _value, place in files.iter_file_rows(path)),
    )


def load_mailbox_map(files: MapFiles, path: Path, staging: Staging) -> None:
    staging.insert_rows("_mailboxes", files.iter_file_rows(path))


def load_alias_map(files: MapFiles, path: Path, staging: Staging) -> None:
    """Load the aliases; domain names among the keys are the domains of aliases."""
    rows = list(files.iter_file_rows(path))
    staging.insert_rows("_aliases", ((*row, number) for number, row in enumerate(rows)))
    names = [(key, "alias", place) for key, _value, place in rows if is_domain_key(key)]
    staging.insert_rows("_domains", names)


def load_transport_map(files: MapFiles, path: Path, staging: Staging) -> None:
    staging.insert_rows("_transports", files.iter_file_rows(path))


def load_passwd_file(files: MapFiles, path: Path, staging: Staging) -> None:
    staging.insert_rows("_logins", passwdfiles.iter_login_rows(PasswdFile(path), files))


LOADERS = {
    "transports": load_transport_map,
    "mailboxes": load_mailbox_map,
    "domains": load_domain_list,
    "aliases": load_alias_map,
    "logins": load_passwd_file,
}


def add_implied_domains(staging: Staging, losses: Losses) -> None:
    """Take the domains of mailboxes and logins if no file lists mailbox domains."""
    if staging.count_rows("_domains", "class = 'mailbox'"):
        return
    sql = """SELECT domain_of(address) AS name, 'mailbox', MIN(place) AS place
        FROM (SELECT address, place FROM _mailboxes UNION ALL SELECT address, place FROM _logins)
        GROUP BY domain_of(address) COLLATE NOCASE"""
    domains = [tuple(row) for row in staging.query(sql)]
    staging.insert_rows("_domains", domains)
    for name, _class, place in domains:
        text = _("No file lists domains: the domains of the mailboxes are used.")
        losses.add(text, compose("%(name)s (%(place)s)", name=name, place=decode_text(place)))


def find_passwd_files(files: MapFiles, folders: Iterable[Path]) -> Iterator[PasswdFile]:
    """Yield files in these folders that look like passwd-files."""
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            if (
                files.is_in_source(path)
                and can_be_passwd_file(path)
                and passwdfiles.is_passwd_file(read_text(path))
            ):
                yield PasswdFile(path)


def can_be_passwd_file(path: Path) -> bool:
    return path.suffix not in COMPILED_SUFFIXES and path.stat().st_size <= MAX_FILE_BYTES
