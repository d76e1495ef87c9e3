"""Copies of sample configurations, with edits that cause a fault."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mailboxes.mailserver.checks import Configuration, run_checks
from mailboxes.mailserver.checks.hashes import (
    PasswordHashKind,
)
from mailboxes.mailserver.checks.rows import DatabaseFacts
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.postfix import PostfixFiles

SAMPLES = Path(__file__).parent / "configurations"


ROWS = DatabaseFacts(
    virtual_domains=frozenset({"example.org"}),
    hash_kinds=frozenset(
        {PasswordHashKind("BLF-CRYPT", False), PasswordHashKind("ARGON2ID", True)}
    ),
    maildir_layouts=frozenset({"%d/%n"}),
    transports=frozenset({"virtual"}),
)


NARROW = frozenset(
    {
        *("alias", "domain", "mailbox", "alias_domain"),
        *("mailadmin_transport", "mailadmin_sender_permission"),
    }
)


# Edits that cause one fault


def change(file, old, new=""):
    def edit(folder):
        path = folder / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return edit


def add(file, text):
    return lambda folder: (folder / file).write_text((folder / file).read_text() + text)


def write(file, text):
    return lambda folder: (folder / file).write_text(text)


def main_cf(text):
    return add("postfix/main.cf", text + "\n")


def configuration(folder, *edits, postfix="clean", dovecot="clean", facts=ROWS):
    """Return a private copy of a sample with these edits."""
    shutil.copytree(SAMPLES / postfix / "postfix", folder / "postfix")
    dovecot_files = None
    if dovecot and (SAMPLES / dovecot / "dovecot").exists():
        shutil.copytree(SAMPLES / dovecot / "dovecot", folder / "dovecot")
        dovecot_files = DovecotFiles(folder / "dovecot")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o640)
    for edit in edits:
        edit(folder)
    return Configuration(PostfixFiles(folder / "postfix"), dovecot_files, facts)


def codes(found):
    return {each.check.code for each in found}


def clean(*edits, **options):
    """Return a function that lists the findings readably, for asserting that there are none."""

    def look(folder):
        found = run_checks(configuration(folder, *edits, **options))
        return [(each.check.code, str(each.fault.line), each.fault.about) for each in found]

    return look


def hashes(*kinds):
    return replace(ROWS, hash_kinds=frozenset(PasswordHashKind(*kind) for kind in kinds))


# Postfix delivers itself, to the location that Dovecot reads.
VIRTUAL = (
    change("postfix/main.cf", "lmtp:unix:private/dovecot-lmtp", "virtual"),
    main_cf(
        "virtual_mailbox_base = /var/vmail\n"
        "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5000"
    ),
    change("dovecot/conf.d/10-mail.conf", "maildir:~/Maildir", "maildir:~"),
)
SQL = "dovecot/dovecot-sql.conf.ext"
NEW = "dovecot/dovecot.conf"  # of Dovecot 2.4


class Broken(NamedTuple):
    """A fault and its expected finding: code, line, subject."""

    code: str
    edits: tuple
    file: str
    line: str  # start of the line
    about: str = ""
    facts: DatabaseFacts = ROWS
    also: frozenset = frozenset()
    dovecot: str = "clean"
    version: str = ""  # version of the installed Dovecot, if known
    client_ports: dict = {}  # that the settings name
    refused: str = ""  # message of Dovecot 2.4; without one it starts and fails later


def broken_files(folder, broken):
    edits = broken.edits
    found = configuration(folder, *edits, dovecot=broken.dovecot, facts=broken.facts)
    return replace(found, dovecot_version=broken.version, client_ports=broken.client_ports)
