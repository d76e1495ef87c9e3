"""Postfix's maps without a main.cf: what each file is, by what stands in it."""

import re

from django.utils.translation import gettext as _

from mailadmin.db.fields import split_goto
from mailboxes.mailserver.config_parser.lines import read
from mailboxes.transfer.entries import UnfitSource
from mailboxes.transfer.readers import passwdfiles
from mailboxes.transfer.readers.passwdfiles import PasswdFile

LARGEST = 100_000_000  # bytes
COMPILED = (".db", ".lmdb", ".cdb", ".pag", ".dir")
NAME = re.compile(r"[\w-]+(?:\.[\w-]+)+", re.ASCII)
ADDRESS = re.compile(r"[^\s@]*@[\w.-]+", re.ASCII)
TRANSPORT = re.compile(r"[\w-]*:\S*|[\w-]+:\S.*", re.ASCII)
PATTERN = re.compile(r"\*|\.?[\w.-]+|[^\s@]+@[\w.-]+", re.ASCII)
SENDERS = ("sender", "login")  # maps that look like aliases and say who may send


def load(files, paths, staging):
    """Put every file's lines into the table where they seem to belong."""
    for path in paths:
        kind = kind_of(files, path)
        if kind:
            KINDS[kind](files, path, staging)
        else:
            text = _("A file that is no list of domains, mailboxes or aliases is not read.")
            files.losses.add(text, files.shown(path))
    name_domains(staging, files.losses)


def kind_of(files, path):
    """A key of KINDS, or nothing."""
    if path.suffix in COMPILED or path.stat().st_size > LARGEST:
        return ""
    try:
        text = read(path)
    except OSError as error:
        raise UnfitSource(error.strerror, files.shown(path)) from error
    if passwdfiles.is_passwd_file(text):
        return "logins"
    if "\N{REPLACEMENT CHARACTER}" in text or any(word in path.name for word in SENDERS):
        return ""
    rows = [(key, value) for key, value, _place in files.rows(path)]
    return next((kind for kind, fits in SHAPES.items() if rows and fits(rows)), "")


def are_transports(rows):
    return all(PATTERN.fullmatch(key) and TRANSPORT.fullmatch(value) for key, value in rows)


def are_mailboxes(rows):
    return all(ADDRESS.fullmatch(key) and re.fullmatch(r"\S*/\S*", value) for key, value in rows)


def are_domains(rows):
    return all(NAME.fullmatch(key) for key, _value in rows)


def are_aliases(rows):
    return all(is_declaration(key) or leads_on(key, value) for key, value in rows)


def is_declaration(key):
    return bool(NAME.fullmatch(key))


def leads_on(key, value):
    targets = split_goto(value)
    return bool(ADDRESS.fullmatch(key) and targets) and all(
        re.fullmatch(r"[^\s:/]+", target) for target in targets
    )


SHAPES = {
    "transports": are_transports,
    "mailboxes": are_mailboxes,
    "domains": are_domains,
    "aliases": are_aliases,
}


# Into the tables


def load_domains(files, path, staging):
    kind = "relay" if "relay" in path.name else "mailbox"
    staging.insert("_domains", ((key, kind, place) for key, _value, place in files.rows(path)))


def load_mailboxes(files, path, staging):
    staging.insert("_mailboxes", files.rows(path))


def load_aliases(files, path, staging):
    """Domains on the left are those of the aliases."""
    rows = list(files.rows(path))
    staging.insert("_aliases", ((*row, number) for number, row in enumerate(rows)))
    names = [(key, "alias", place) for key, _value, place in rows if is_declaration(key)]
    staging.insert("_domains", names)


def load_transports(files, path, staging):
    staging.insert("_transports", files.rows(path))


def load_logins(files, path, staging):
    staging.insert("_logins", passwdfiles.logins(PasswdFile(path), files))


KINDS = {
    "transports": load_transports,
    "mailboxes": load_mailboxes,
    "domains": load_domains,
    "aliases": load_aliases,
    "logins": load_logins,
}


def name_domains(staging, losses):
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


def passwd_files(files, folders):
    """Files in these folders that look like Dovecot's."""
    for folder in folders:
        if not folder.is_dir():
            continue
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            if files.reaches(path) and is_small(path) and passwdfiles.is_passwd_file(read(path)):
                yield PasswdFile(path)


def is_small(path):
    return path.suffix not in COMPILED and path.stat().st_size <= LARGEST
