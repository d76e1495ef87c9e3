"""Postfix's maps without a main.cf: what each file is, by what stands in it."""

import re

from django.utils.translation import gettext as _

from mailadmin.db.fields import split_goto
from mailboxes.mailserver.config_parser.lines import read_text
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import passwdfiles
from mailboxes.transfer.readers.passwdfiles import PasswdFile

MAX_FILE_BYTES = 100_000_000  # bytes
COMPILED_SUFFIXES = (".db", ".lmdb", ".cdb", ".pag", ".dir")
DOMAIN_RE = re.compile(r"[\w-]+(?:\.[\w-]+)+", re.ASCII)
ADDRESS_RE = re.compile(r"[^\s@]*@[\w.-]+", re.ASCII)
TRANSPORT_RE = re.compile(r"[\w-]*:\S*|[\w-]+:\S.*", re.ASCII)
PATTERN_RE = re.compile(r"\*|\.?[\w.-]+|[^\s@]+@[\w.-]+", re.ASCII)
SENDER_MAP_WORDS = ("sender", "login")  # maps that look like aliases and say who may send


def load_by_content(files, paths, staging):
    """Put every file's lines into the table where they seem to belong."""
    for path in paths:
        kind = detect_map_type(files, path)
        if kind:
            LOADERS[kind](files, path, staging)
        else:
            text = _("A file that is no list of domains, mailboxes or aliases is not read.")
            files.losses.add(text, files.shown(path))
    add_implied_domains(staging, files.losses)


def detect_map_type(files, path):
    """A key of KINDS, or nothing."""
    if path.suffix in COMPILED_SUFFIXES or path.stat().st_size > MAX_FILE_BYTES:
        return ""
    try:
        text = read_text(path)
    except OSError as error:
        raise SourceError(error.strerror, files.shown(path)) from error
    if passwdfiles.is_passwd_file(text):
        return "logins"
    if "\N{REPLACEMENT CHARACTER}" in text or any(word in path.name for word in SENDER_MAP_WORDS):
        return ""
    rows = [(key, value) for key, value, _place in files.rows(path)]
    return next((kind for kind, fits in DETECTORS.items() if rows and fits(rows)), "")


def is_transport_map(rows):
    return all(PATTERN_RE.fullmatch(key) and TRANSPORT_RE.fullmatch(value) for key, value in rows)


def is_mailbox_map(rows):
    return all(ADDRESS_RE.fullmatch(key) and re.fullmatch(r"\S*/\S*", value) for key, value in rows)


def is_domain_list(rows):
    return all(DOMAIN_RE.fullmatch(key) for key, _value in rows)


def is_alias_map(rows):
    return all(is_domain_key(key) or is_alias_row(key, value) for key, value in rows)


def is_domain_key(key):
    return bool(DOMAIN_RE.fullmatch(key))


def is_alias_row(key, value):
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


# Into the tables


def load_domain_list(files, path, staging):
    kind = "relay" if "relay" in path.name else "mailbox"
    staging.insert("_domains", ((key, kind, place) for key, _value, place in files.rows(path)))


def load_mailbox_map(files, path, staging):
    staging.insert("_mailboxes", files.rows(path))


def load_alias_map(files, path, staging):
    """Domains on the left are those of the aliases."""
    rows = list(files.rows(path))
    staging.insert("_aliases", ((*row, number) for number, row in enumerate(rows)))
    names = [(key, "alias", place) for key, _value, place in rows if is_domain_key(key)]
    staging.insert("_domains", names)


def load_transport_map(files, path, staging):
    staging.insert("_transports", files.rows(path))


def load_passwd_file(files, path, staging):
    staging.insert("_logins", passwdfiles.iter_login_rows(PasswdFile(path), files))


LOADERS = {
    "transports": load_transport_map,
    "mailboxes": load_mailbox_map,
    "domains": load_domain_list,
    "aliases": load_alias_map,
    "logins": load_passwd_file,
}


def add_implied_domains(staging, losses):
    """Where no file lists domains, those with mailboxes are meant."""
    if staging.count("_domains", "class = 'mailbox'"):
        return
    sql = """SELECT domain_of(address) AS name, 'mailbox', MIN(place) AS place
        FROM (SELECT address, place FROM _mailboxes UNION ALL SELECT address, place FROM _logins)
        GROUP BY domain_of(address) COLLATE NOCASE"""
    found = [tuple(row) for row in staging.rows(sql)]
    staging.insert("_domains", found)
    for name, _kind, place in found:
        text = _("No file lists domains: those of the mailboxes are taken.")
        losses.add(text, f"{name} ({place})")


def find_passwd_files(files, folders):
    """Files in these folders that look like Dovecot's."""
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            if (
                files.reaches(path)
                and can_be_passwd_file(path)
                and passwdfiles.is_passwd_file(read_text(path))
            ):
                yield PasswdFile(path)


def can_be_passwd_file(path):
    return path.suffix not in COMPILED_SUFFIXES and path.stat().st_size <= MAX_FILE_BYTES
