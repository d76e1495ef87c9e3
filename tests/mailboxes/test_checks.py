"""`mailserver check`: each known fault is found, and a clean configuration has no findings."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from domains.models import AliasDomain, Domain, Transport
from mailadmin import passwords
from mailboxes.mailserver.checks import CONFIG_CHECKS, Configuration, files, paths, rows, run_checks
from mailboxes.mailserver.checks.command import get_installed_version
from mailboxes.mailserver.checks.hashes import (
    READABLE_FORMATS,
    PasswordHashKind,
    identify_hash,
    is_readable_as,
)
from mailboxes.mailserver.checks.rows import DatabaseFacts
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.names import (
    BLOCK_SETTINGS,
    FILE_SETTINGS,
    INVERTED_SETTINGS,
    QUOTA_SETTINGS,
    REMOVED_SETTINGS,
    RENAMED_SETTINGS,
    REPLACED_SETTINGS,
    SQL_FILE_SETTINGS,
)
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.config_parser.tree import FILTER_BLOCKS
from mailboxes.models import Alias, Mailbox
from tests.base import World
from tests.mailservers import FIRST_LINES, only_with, version_tested
from tests.programs import command

SAMPLES = Path(__file__).parent / "configurations"
ROWS = DatabaseFacts(
    virtual_domains=frozenset({"example.org"}),
    hash_kinds=frozenset(
        {PasswordHashKind("BLF-CRYPT", False), PasswordHashKind("ARGON2ID", True)}
    ),
    maildir_layouts=frozenset({"%d/%n"}),
    transports=frozenset({"virtual"}),
)
OLD_NAMES = (
    RENAMED_SETTINGS,
    FILE_SETTINGS,
    INVERTED_SETTINGS,
    REPLACED_SETTINGS,
    REMOVED_SETTINGS,
    SQL_FILE_SETTINGS,
    QUOTA_SETTINGS,
)
NARROW = frozenset({"alias", "domain", "mailbox", "alias_domain", "mailadmin_transport"})


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
    refused: str = ""  # message of Dovecot 2.4; without one it starts and fails later


BROKEN = [
    Broken(
        "unreadable-file",
        (lambda folder: (folder / "postfix/master.cf").unlink(),),
        "postfix/master.cf",
        "",
        "No such file",
    ),
    Broken(
        "broken-line", (main_cf("this is no setting"),), "postfix/main.cf", "this is no setting"
    ),
    Broken(
        "defined-twice",
        (main_cf("recipient_delimiter = -"),),
        "postfix/main.cf",
        "recipient_delimiter = +",
        "recipient_delimiter",
    ),
    Broken(
        "endless-value",
        (main_cf("one = $two\ntwo = $one"),),
        "postfix/main.cf",
        "one = $two",
        "one",
    ),
    Broken(
        "missing-map-file",
        (main_cf("smtpd_client_restrictions = check_client_access hash:/etc/postfix/access"),),
        "postfix/main.cf",
        "smtpd_client_restrictions = check_client_access",
        "postfix/access",
    ),
    Broken(
        "readable-secret",
        (lambda folder: (folder / "postfix/sql/aliases.cf").chmod(0o644),),
        "postfix/sql/aliases.cf",
        "password = for-postfix",
    ),
    Broken(
        "legacy-sql-settings",
        (
            write(
                "postfix/sql/aliases.cf",
                "charset = latin1\ntable = alias\nselect_field = goto\nwhere_field = address\n"
                "additional_conditions = AND active = '1'\n",
            ),
        ),
        "postfix/sql/aliases.cf",
        "select_field = goto",
    ),
    Broken(
        "virtual-domain-in-mydestination",
        (change("postfix/main.cf", "= localhost", "= localhost, Example.org"),),
        "postfix/main.cf",
        "mydestination = localhost, Example.org",
        "example.org",
    ),
    Broken(
        "system-mail-into-virtual-domain",
        (main_cf("myorigin = example.org"),),
        "postfix/main.cf",
        "myorigin = example.org",
        "myorigin: example.org",
    ),
    Broken(
        "relay-and-virtual",
        (change("postfix/sql/domains.cf", " AND backupmx = '0'"),),
        "postfix/sql/domains.cf",
        "query = SELECT domain FROM domain WHERE domain = '%s'",
    ),
    Broken(
        "virtual-alias-domains-default",
        (change("postfix/main.cf", "virtual_alias_domains =\n"),),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
    ),
    Broken(
        "alias-row-is-a-domain",
        (change("postfix/main.cf", "virtual_alias_domains =\n"),),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "example.org",
        replace(ROWS, domain_only_aliases=("example.org",)),
        frozenset({"virtual-alias-domains-default"}),
    ),
    Broken(
        "relay-of-subdomains",
        (change("postfix/main.cf", "parent_domain_matches_subdomains =\n"),),
        "postfix/main.cf",
        "relay_domains = $sql/relays.cf",
    ),
    Broken(
        "parameter-not-set",
        (change("postfix/main.cf", "virtual_mailbox_maps = $sql/mailboxes.cf\n"),),
        "postfix/main.cf",
        "",
        "virtual_mailbox_maps",
    ),
    Broken(
        "star-transport-takes-all",
        (
            change(
                "postfix/main.cf", "$sql/transports.cf", "inline:{ {*=smtp:[mx.hosting.example]} }"
            ),
        ),
        "postfix/main.cf",
        "transport_maps = inline:{ {*=smtp:[mx.hosting.example]} }",
        "example.org",
    ),
    Broken(
        "unsupported-parameter",
        (main_cf("virtual_create_maildirsize = yes"),),
        "postfix/main.cf",
        "virtual_create_maildirsize = yes",
        "virtual_create_maildirsize",
    ),
    Broken(
        "map-not-in-proxy-read-maps",
        (
            main_cf(
                "proxy_read_maps = $virtual_alias_maps $virtual_mailbox_maps $relay_domains"
                " $virtual_mailbox_domains $transport_maps"
            ),
        ),
        "postfix/main.cf",
        "smtpd_sender_login_maps = $sql/senders.cf",
        "smtpd_sender_login_maps: proxy:mysql:",
    ),
    Broken(
        "wrong-column-selected",
        (change("postfix/sql/transports.cf", "SELECT transport", "SELECT domain"),),
        "postfix/sql/transports.cf",
        "query = SELECT domain FROM domain WHERE domain = '%s'",
        "domain",
    ),
    Broken(
        "inactive-rows-answer",
        (change("postfix/sql/alias-domains.cf", " AND alias_domain.active = '1'"),),
        "postfix/sql/alias-domains.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
        "alias_domain",
    ),
    Broken(
        "no-alias-domain-map",
        (
            change("postfix/main.cf", "    $sql/alias-domains.cf,\n"),
            change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
        ),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "branch.example",
        replace(ROWS, alias_domains=frozenset({"branch.example"})),
        frozenset({"alias-domain-cannot-sign-in"}),
    ),
    Broken(
        "no-alias-domain-catch-all",
        (change("postfix/main.cf", "    $sql/catch-alls.cf\n"),),
        "postfix/sql/alias-domains.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
    ),
    Broken(
        "catch-all-before-extension",
        (
            change(
                "postfix/sql/catch-alls.cf",
                "    AND '%s' = CONCAT('@', alias_domain.alias_domain)\n",
            ),
        ),
        "postfix/sql/catch-alls.cf",
        "query = SELECT goto FROM alias, alias_domain WHERE",
    ),
    Broken(
        "catch-all-swallows-mailboxes",
        (),
        "postfix/main.cf",
        "virtual_alias_maps = $sql/aliases.cf,",
        "bob@example.org",
        replace(ROWS, mailboxes_behind_catch_all=("bob@example.org",)),
    ),
    Broken(
        "sender-login-maps-not-united",
        (change("postfix/main.cf", "$sql/senders.cf", "$sql/senders.cf, $sql/aliases.cf"),),
        "postfix/main.cf",
        "smtpd_sender_login_maps = $sql/senders.cf, $sql/aliases.cf",
        "aliases.cf",
    ),
    Broken(
        "charset-mismatch",
        (change("postfix/sql/aliases.cf", "charset = latin1\n"),),
        "postfix/sql/aliases.cf",
        "query = SELECT goto FROM alias WHERE address = '%s' AND",
        "alias",
        replace(ROWS, non_unicode_tables=frozenset({"alias"})),
    ),
    Broken(
        "reserved-word",
        (change("postfix/sql/domains.cf", "SELECT domain", "SELECT domain AS virtual"),),
        "postfix/sql/domains.cf",
        "query = SELECT domain AS virtual FROM domain WHERE",
        "virtual",
    ),
    Broken(
        "unknown-sql-function",
        (change(SQL, "user, password", "user, ENCRYPT('%w', password) AS password"),),
        SQL,
        "password_query = SELECT username AS user, ENCRYPT('%w',",
        "ENCRYPT",
    ),
    Broken(
        "uid-below-minimum",
        (*VIRTUAL, main_cf("virtual_minimum_uid = 5001")),
        "postfix/main.cf",
        "virtual_minimum_uid = 5001",
        "5000",
    ),
    Broken(
        "pipe-needs-one-recipient",
        (change("postfix/main.cf", "lmtp:unix:private/dovecot-lmtp", "maildrop:"),),
        "postfix/master.cf",
        "maildrop   unix  -       n       n       -       -     ",
        "maildrop_destination_recipient_limit",
    ),
    Broken(
        "unknown-transport-service",
        (),
        "postfix/main.cf",
        "transport_maps = $sql/transports.cf",
        "nosuch",
        replace(ROWS, transports=frozenset({"virtual", "nosuch:[a.test]", "smtp:", ":"})),
    ),
    Broken(
        "percent-behind-letter",
        (change("dovecot/conf.d/10-mail.conf", "~/Maildir", "~/d%/Maildir"),),
        "dovecot/conf.d/10-mail.conf",
        "mail_location = maildir:~/d%/Maildir",
        "d%",
    ),
    Broken(
        "two-mail-stores",
        VIRTUAL[:2],
        SQL,
        "user_query = SELECT CONCAT('/var/vmail/', maildir) AS",
        "/var/vmail/{maildir}/Maildir ≠ /var/vmail/%d/%n",
    ),
    Broken(
        "two-maildir-layouts",
        (
            *VIRTUAL,
            change(
                "postfix/main.cf",
                "$sql/mailboxes.cf",
                "$sql/mailboxes.cf,\n inline:{ {ben@example.org=example.org/ben@example.org/} }",
            ),
        ),
        "postfix/main.cf",
        "inline:{ {ben@example.org=example.org/ben@example.org/} }",
        "/var/vmail/%d/%u",
    ),
    Broken(
        "maildir-column-ignored",
        (change(SQL, "CONCAT('/var/vmail/', maildir) AS home", "'/var/vmail/%d/%u' AS home"),),
        SQL,
        "user_query = SELECT '/var/vmail/%d/%u' AS home, 5000 AS",
        "%d/%n",
    ),
    Broken(
        "uid-below-first-valid",
        (change(SQL, "5000 AS uid", "200 AS uid"),),
        SQL,
        "user_query = SELECT CONCAT('/var/vmail/', maildir) AS",
        "200",
    ),
    Broken(
        "submission-without-login",
        (change("postfix/master.cf", "mode=yes -o smtpd_sasl_auth_enable=yes", "mode=yes"),),
        "postfix/master.cf",
        "submissions inet n       -       y       -       -     ",
        "submissions",
    ),
    Broken(
        "sender-not-checked",
        (
            change(
                "postfix/master.cf", "  -o smtpd_sender_restrictions=reject_sender_login_mismatch\n"
            ),
        ),
        "postfix/master.cf",
        "submissions inet n       -       y       -       -     ",
        "submissions",
    ),
    Broken(
        "sender-login-maps-not-set",
        (change("postfix/main.cf", "smtpd_sender_login_maps = $sql/senders.cf\n"),),
        "postfix/master.cf",
        "submission inet  n       -       y       -       -     ",
        "submission",
    ),
    Broken(
        "scheme-does-not-fit",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "ARGON2ID ≠ CRYPT",
        hashes(("ARGON2ID", False)),
    ),
    Broken(
        "unknown-scheme", (), SQL, "default_pass_scheme = CRYPT", "NTLM", hashes(("NTLM", True))
    ),
    Broken(
        "cram-md5-not-offered",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "CRAM-MD5",
        hashes(("CRAM-MD5", True)),
    ),
    Broken(
        "cram-md5-without-passwords",
        (change("dovecot/conf.d/10-auth.conf", "plain login", "plain login cram-md5"),),
        "dovecot/conf.d/10-auth.conf",
        "auth_mechanisms = plain login cram-md5  # no others",
    ),
    Broken(
        "des-crypt",
        (),
        SQL,
        "default_pass_scheme = CRYPT",
        "DES-CRYPT",
        hashes(("DES-CRYPT", False)),
    ),
    Broken(
        "alias-domain-cannot-sign-in",
        (),
        SQL,
        "password_query = SELECT username AS user, password FROM",
        "",
        replace(ROWS, alias_domains=frozenset({"branch.example"})),
    ),
    Broken(
        "sieve-script-is-a-folder",
        (
            change("dovecot/conf.d/10-mail.conf", "maildir:~/Maildir", "maildir:~/"),
            add(
                "dovecot/conf.d/10-mail.conf",
                "plugin {\n  sieve = file:~/sieve;active=~/.dovecot.sieve\n}\n",
            ),
        ),
        "dovecot/conf.d/10-mail.conf",
        "sieve = file:~/sieve;active=~/.dovecot.sieve",
        "~/.dovecot.sieve",
    ),
    Broken(
        "sieve-script-is-a-folder",
        (
            change(NEW, "mail_path = ~/Maildir", "mail_path = ~/"),
            add(NEW, "protocol lmtp {\n  mail_plugins {\n    sieve = yes\n  }\n}\n"),
            add(NEW, "sieve_script personal {\n  active_path = ~/.active\n}\n"),
        ),
        NEW,
        "active_path = ~/.active",
        "~/.active",
        dovecot="modern",
    ),
    Broken(
        "files-for-another-dovecot",
        (),
        "dovecot/dovecot.conf",
        "!include_try /nowhere/protocols.d/*.protocol",
        "2.3 ≠ 2.4",
        version="2.4",
    ),
    Broken(
        "files-for-another-dovecot",
        (),
        NEW,
        "dovecot_config_version = 2.4.0",
        "2.4 ≠ 2.3",
        dovecot="modern",
        version="2.3",
    ),
    Broken(
        "dovecot-version-missing",
        (change(NEW, "dovecot_config_version = 2.4.0\n"),),
        NEW,
        "dovecot_storage_version = 2.4.0",
        "dovecot_config_version",
        dovecot="modern",
        refused="line 1: The first setting must be dovecot_config_version",
    ),
    Broken(
        "dovecot-version-missing",
        (change(NEW, "dovecot_storage_version = 2.4.0\n"),),
        NEW,
        "dovecot_config_version = 2.4.0",
        "dovecot_storage_version",
        dovecot="modern",
        refused="dovecot_storage_version setting must be set",
    ),
    Broken(
        "dovecot-version-not-first",
        (change(NEW, "dovecot_config", "!include_try none.conf\ndovecot_config"),),
        NEW,
        "!include_try none.conf",
        dovecot="modern",
        refused="line 1: The first setting must be dovecot_config_version",
    ),
    Broken(
        "dovecot-version-unknown",
        (change(NEW, "config_version = 2.4.0", "config_version = 2.5.0"),),
        NEW,
        "dovecot_config_version = 2.5.0",
        "2.5.0",
        dovecot="modern",
        refused="line 1: Invalid dovecot_config_version",
    ),
    Broken(
        "setting-of-older-dovecot",
        (add(NEW, "disable_plaintext_auth = no\n"),),
        NEW,
        "disable_plaintext_auth = no",
        "disable_plaintext_auth → auth_allow_cleartext",
        dovecot="modern",
        refused="Unknown setting: disable_plaintext_auth",
    ),
    Broken(
        "setting-of-older-dovecot",
        (add(NEW, "passdb file {\n  driver = passwd-file\n  args = /etc/passwords\n}\n"),),
        NEW,
        "args = /etc/passwords",
        "args → ",
        dovecot="modern",
        refused="Unknown setting: args",
    ),
    Broken(
        "block-of-older-dovecot",
        (add(NEW, "plugin {\n  quota = count:User quota\n}\n"),),
        NEW,
        "plugin {",
        dovecot="modern",
        refused="Unknown section name: plugin",
    ),
    Broken(
        "block-of-older-dovecot",
        (change(NEW, "userdb prefetch {", "userdb {\n  driver = prefetch"),),
        NEW,
        "userdb {",
        dovecot="modern",
        refused="userdb { } is missing section name",
    ),
    Broken(
        "variable-of-older-dovecot",
        (change(NEW, "username = '%{user}'", "username = '%u'"),),
        NEW,
        "WHERE username = '%u'",
        "query: %u",
        dovecot="modern",
    ),
    Broken(
        "variable-of-older-dovecot",
        (add(NEW, "mail_plugins = $mail_plugins quota\n"),),
        NEW,
        "mail_plugins = $mail_plugins quota",
        "$mail_plugins",
        dovecot="modern",
    ),
    Broken(
        "variable-of-older-dovecot",
        (add(NEW, "mail_home = /var/vmail/%d/%n\n"),),
        NEW,
        "mail_home = /var/vmail/%d/%n",
        "mail_home: %d",
        dovecot="modern",
    ),
    Broken(
        "variable-of-older-dovecot",
        (add(NEW, "mail_index_path = /i/%d\n"),),
        NEW,
        "mail_index_path = /i/%d",
        "mail_index_path: %d",
        dovecot="modern",
    ),
    Broken(
        "variable-of-older-dovecot",
        (add(NEW, "postmaster_address = p@%d\n"),),
        NEW,
        "postmaster_address = p@%d",
        "postmaster_address: %d",
        dovecot="modern",
    ),
    Broken(
        "variable-of-older-dovecot",
        (add(NEW, "sieve_script x {\n  path = /s/%u\n}\n"),),
        NEW,
        "path = /s/%u",
        "path: %u",
        dovecot="modern",
    ),
    Broken(
        "value-of-older-dovecot",
        (add(NEW, "mail_plugins = quota replication\n"),),
        NEW,
        "mail_plugins = quota replication",
        "mail_plugins: replication",
        dovecot="modern",
    ),
    Broken(
        "value-of-older-dovecot",
        (add(NEW, "mail_plugins {\n  expire = yes\n}\n"),),
        NEW,
        "expire = yes",
        "expire: expire",
        dovecot="modern",
    ),
    Broken(
        "value-of-older-dovecot",
        (add(NEW, "sieve_extensions = +vnd.dovecot.pipe\n"),),
        NEW,
        "sieve_extensions = +vnd.dovecot.pipe",
        "sieve_extensions: +vnd.dovecot.pipe",
        dovecot="modern",
    ),
    Broken(
        "value-of-older-dovecot",
        (add(NEW, "ssl = required\nauth_allow_cleartext = yes\n"),),
        NEW,
        "auth_allow_cleartext = yes",
        "auth_allow_cleartext",
        dovecot="modern",
    ),
    Broken(
        "field-of-another-dovecot",
        (change(NEW, "5000 AS uid", "CONCAT('*:bytes=', quota) AS quota_rule, 5000 AS uid"),),
        NEW,
        "query = SELECT CONCAT('/var/vmail/', maildir) AS home",
        "quota_rule → quota_storage_size",
        dovecot="modern",
    ),
    Broken(
        "field-of-another-dovecot",
        (change(SQL, "5000 AS uid", "CONCAT(quota, 'B') AS quota_storage_size, 5000 AS uid"),),
        SQL,
        "user_query = SELECT CONCAT('/var/vmail/', maildir) AS home",
        "quota_storage_size → quota_rule",
    ),
    Broken(
        "several-mysql-blocks",
        (add(NEW, "mysql 127.0.0.2 {\n}\n"),),
        NEW,
        "mysql 127.0.0.2 {",
        "127.0.0.1, 127.0.0.2",
        dovecot="modern",
    ),
    Broken(
        "weak-scheme-refused",
        (),
        NEW,
        "default_password_scheme = CRYPT",
        "MD5-CRYPT",
        hashes(("MD5-CRYPT", False), ("BLF-CRYPT", True)),
        dovecot="modern",
    ),
]


def broken_files(folder, broken):
    edits = broken.edits
    found = configuration(folder, *edits, dovecot=broken.dovecot, facts=broken.facts)
    return replace(found, dovecot_version=broken.version)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.code)
def test_exactly_the_planted_fault_is_found_with_its_line(broken, tmp_path):
    found = run_checks(broken_files(tmp_path, broken))
    assert codes(found) == {broken.code, *broken.also}
    faults = [each.fault for each in found if each.check.code == broken.code]
    assert faults[0].line.file == f"{tmp_path}/{broken.file}"
    assert faults[0].line.text.strip().startswith(broken.line)
    assert broken.about in faults[0].about


@pytest.mark.mailserver
@pytest.mark.parametrize(
    "broken", [each for each in BROKEN if each.refused], ids=lambda broken: broken.code
)
def test_dovecot_2_4_refuses_the_found_faults(broken, tmp_path):
    only_with("2.4")
    broken_files(tmp_path, broken)
    said = doveconf(tmp_path / NEW)
    assert said.returncode != 0
    assert broken.refused in said.stderr


OLD = [
    *(("file", name) for table in OLD_NAMES for name in table),
    *((kind, name) for kind, names in BLOCK_SETTINGS.items() for name in names),
    *((kind, "quota_rule") for kind in FILTER_BLOCKS),
]
AROUND = {kind: f"{kind} 127.0.0.1 {{\n%s\n}}\n" for kind in FILTER_BLOCKS} | {
    "inet_listener": "service imap-login {\n  inet_listener x {\n%s\n}\n}\n",
    "mailbox": "namespace inbox {\n  mailbox X {\n%s\n}\n}\n",
    "namespace": "namespace inbox {\n%s\n}\n",
    "passdb": "passdb static {\n%s\n}\n",
    "service": "service imap {\n%s\n}\n",
    "userdb": "userdb static {\n%s\n}\n",
}


@pytest.mark.mailserver
@pytest.mark.parametrize("kind, name", sorted(OLD), ids=lambda word: word)
def test_2_4_does_not_accept_names_reported_as_old(kind, name, tmp_path):
    text = AROUND.get(kind, "%s\n") % f"{name} = x"
    if version_tested() == "2.4":
        (tmp_path / "dovecot.conf").write_text(FIRST_LINES["2.4"] + text)
        said = doveconf(tmp_path / "dovecot.conf").stderr
        assert f"Unknown setting: {name}" in said or "named list filter" in said
        found = run_checks(Configuration(dovecot_files=DovecotFiles(tmp_path)))
        assert codes(found) == {"setting-of-older-dovecot"}
    elif name not in {
        *SQL_FILE_SETTINGS,
        *QUOTA_SETTINGS,
    }:  # in files of their own, and in plugin { }
        (tmp_path / "dovecot.conf").write_text(text)
        assert "Unknown setting" not in doveconf(tmp_path / "dovecot.conf").stderr


@pytest.mark.django_db
def test_the_dovecot_version_of_a_copy_is_an_option(tmp_path):
    place = f"--dovecot={configuration(tmp_path).dovecot.directory}"
    for version, expected in (("2.4", {"files-for-another-dovecot"}), ("2.3", set())):
        found = run_check(place, f"--dovecot-version={version}")
        assert {each["code"] for each in found} & {"files-for-another-dovecot"} == expected
    assert "files-for-another-dovecot" not in {each["code"] for each in run_check(place)}


def run_check(*options):
    out = StringIO()
    with contextlib.suppress(SystemExit):
        call_command("mailserver", "check", "--json", *options, stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())["findings"]


@pytest.mark.mailserver
def test_the_local_dovecot_version_is_detected(tmp_path):
    assert get_installed_version(DovecotFiles(Path("/etc/dovecot"))) == version_tested()
    assert get_installed_version(DovecotFiles(tmp_path)) == ""
    assert get_installed_version(None) == ""


def doveconf(path):
    words = [command("doveconf"), "-c", str(path), "-n"]
    return subprocess.run(words, capture_output=True, text=True)


def test_every_finding_has_a_fault():
    assert {finding.code for finding in CONFIG_CHECKS} == {broken.code for broken in BROKEN}


def test_every_finding_explains_its_reason_and_fix():
    for finding in CONFIG_CHECKS:
        assert finding.title and finding.reason and finding.fix, finding.code
        assert finding.severity in ("error", "warning", "advice")


@pytest.mark.parametrize("dovecot", ["clean", "modern", None])
def test_a_clean_configuration_has_no_findings(dovecot, tmp_path):
    assert clean(dovecot=dovecot, facts=replace(ROWS, non_unicode_tables=NARROW))(tmp_path) == []


def test_a_clean_configuration_has_no_findings_without_a_database(tmp_path):
    assert clean(facts=rows.EMPTY_FACTS)(tmp_path) == []


def test_local_delivery_by_postfix_is_accepted(tmp_path):
    assert clean(*VIRTUAL)(tmp_path) == []


# Configurations of published guides

GUIDES = {
    "ispmail": (
        ROWS,
        {
            "virtual-domain-in-mydestination",
            "system-mail-into-virtual-domain",
            "catch-all-swallows-mailboxes",
        },
    ),
    "forwardings": (
        hashes(("HEX:128", False)),
        {
            "unsupported-parameter",
            "wrong-column-selected",
            "uid-below-first-valid",
            "scheme-does-not-fit",
            "reserved-word",
        },
    ),
    "hashfiles": (
        ROWS,
        {
            "catch-all-swallows-mailboxes",
            "uid-below-minimum",
            "defined-twice",
            "star-transport-takes-all",
            "two-maildir-layouts",
        },
    ),
    "guide2007": (
        replace(hashes(("DES-CRYPT", False)), mailboxes_behind_catch_all=("ben@example.org",)),
        {
            "virtual-alias-domains-default",
            "inactive-rows-answer",
            "legacy-sql-settings",
            "catch-all-swallows-mailboxes",
        },
    ),
    "postfixadmin": (
        hashes(("MD5-CRYPT", False)),
        {
            "relay-and-virtual",
            "pipe-needs-one-recipient",
            "percent-behind-letter",
            "scheme-does-not-fit",
            "relay-of-subdomains",
            "inactive-rows-answer",
            "no-alias-domain-catch-all",
            "sender-not-checked",
            "cram-md5-not-offered",
        },
    ),
}


@pytest.mark.parametrize("name", GUIDES)
def test_faults_of_published_guides_are_found(name, tmp_path):
    if (SAMPLES / name / "mailname").exists():
        shutil.copy(SAMPLES / name / "mailname", tmp_path)
    facts, expected = GUIDES[name]
    found = run_checks(configuration(tmp_path, postfix=name, dovecot=name, facts=facts))
    assert codes(found) == expected


# Correct configurations: stock files of Debian, and current guides

SOUND = {
    "debian12": (ROWS, {"parameter-not-set"}),  # no mailboxes yet
    "debian13": (ROWS, {"parameter-not-set"}),
    "ispmail-bookworm": (ROWS, set()),
    "ispmail-trixie": (ROWS, set()),
    "postfixadmin-documentation": (ROWS, set()),
    "modoboa": (ROWS, set()),
}


@pytest.mark.parametrize("has_rows", [True, False])
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_configuration_has_no_errors(name, has_rows, tmp_path):
    facts, expected = SOUND[name]
    facts = (
        replace(facts, alias_domains=frozenset({"branch.example"}))
        if has_rows
        else rows.EMPTY_FACTS
    )
    found = run_checks(configuration(tmp_path, postfix=name, dovecot=name, facts=facts))
    errors = [
        (each.check.code, str(each.fault.line), each.fault.about)
        for each in found
        if each.check.severity == "error" and each.check.code not in expected
    ]
    assert errors == []
    assert expected <= codes(found)


# Single findings in detail


@pytest.mark.parametrize(
    "relay, virtual, clashes",
    [
        ("backupmx = '1'", "backupmx = '0'", False),
        ("backupmx = '1'", "backupmx = '1'", True),
        ("backupmx = '1'", "NOT (transport LIKE 'smtp%%')", True),
        ("transport LIKE 'smtp%%'", "NOT (transport LIKE 'smtp%%')", False),
        ("transport LIKE 'smtp%%'", "active = '1'", True),
    ],
)
def test_two_queries_clash_unless_a_condition_separates_domains(relay, virtual, clashes, tmp_path):
    edits = (
        change("postfix/sql/relays.cf", "backupmx = '1'", relay),
        change("postfix/sql/domains.cf", "backupmx = '0'", virtual),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"relay-and-virtual"} if clashes else set())


def test_domains_listed_in_files_clash_too(tmp_path):
    relays = change("postfix/main.cf", "$sql/relays.cf", "a.example, b.example")
    virtual = change("postfix/main.cf", "$sql/domains.cf", "inline:{b.example=x, c.example=x}")
    found = run_checks(configuration(tmp_path, relays, virtual))
    assert [each.fault.about for each in found] == ["b.example"]
    assert codes(found) == {"relay-and-virtual"}


def test_a_map_inside_a_unionmap_is_approved_with_the_unionmap(tmp_path):
    union = "unionmap:{$sql/senders.cf, $sql/aliases.cf}"
    assert clean(change("postfix/main.cf", "$sql/senders.cf", union))(tmp_path) == []


def test_a_service_with_its_own_port_is_submission_too(tmp_path):
    edit = change("postfix/master.cf", "submissions inet", "192.0.2.1:465 inet")
    disabled = change("postfix/master.cf", "yes -o smtpd_sasl_auth_enable=yes", "yes")
    found = run_checks(configuration(tmp_path, edit, disabled))
    assert codes(found) == {"submission-without-login"}


def test_passwords_in_a_protected_folder_are_accepted(tmp_path):
    looked_at = configuration(tmp_path)
    (tmp_path / "postfix/sql/aliases.cf").chmod(0o644)
    (tmp_path / "postfix/sql").chmod(0o700)
    assert run_checks(looked_at) == []


@pytest.mark.parametrize(
    "text, path",
    [
        ("'/var/mail/%d/%n'", "/var/mail/%d/%n"),
        ("CONCAT('/var/mail/', m.maildir)", "/var/mail/{maildir}"),
        ("'/var/mail/' || domain || '/' || local_part", "/var/mail/%d/%n"),
        ("CONCAT(SUBSTRING_INDEX(email,'@',-1),'/',SUBSTRING_INDEX(email,'@',1),'/')", "%d/%n/"),
        ("CONCAT(SUBSTRING_INDEX(email,'.',-1),'/')", None),
        ("CONCAT('x', REPLACE(maildir, 'a', 'b'))", None),
        ("LOWER(`username`)", "%u"),
    ],
)
def test_paths_are_expanded_from_sql_expressions(text, path):
    assert paths.parse_path_expression(text) == path


@pytest.mark.parametrize(
    "text, path",
    [
        ("/v/%{user | domain}/%{user|username}/", "/v/%d/%n"),
        ("/v/%Ld/%Ln", "/v/%d/%n"),
        ("/v/%n@%d", "/v/%u"),
    ],
)
def test_variables_of_all_versions_are_equal(text, path):
    assert paths.normalize_path_pattern(text) == path


def test_a_column_of_unknown_content_is_not_compared_with_a_pattern(tmp_path):
    edit = change(SQL, "CONCAT('/var/vmail/', maildir) AS home", "'/var/vmail/%d/%u' AS home")
    assert clean(*VIRTUAL, edit, facts=rows.EMPTY_FACTS)(tmp_path / "unknown") == []
    found = run_checks(configuration(tmp_path / "known", *VIRTUAL, edit))
    assert codes(found) == {"two-mail-stores"}


@pytest.mark.parametrize(
    "edit",
    [
        add("dovecot/conf.d/10-mail.conf", "mail_uid = 200\n"),
        change(
            "dovecot/conf.d/auth-sql.conf.ext",
            "userdb {\n  driver = sql\n",
            "userdb {\n  driver = static\n  args = uid=200\n}\nuserdb {\n  driver = sql\n",
        ),
    ],
)
def test_a_user_is_found_in_every_setting(edit, tmp_path):
    assert codes(run_checks(configuration(tmp_path, edit))) == {"uid-below-first-valid"}


def test_a_user_given_by_name_is_accepted(tmp_path):
    assert clean(add("dovecot/conf.d/10-mail.conf", "mail_uid = vmail\n"))(tmp_path) == []


def test_a_transport_may_be_written_in_the_query(tmp_path):
    file = "postfix/sql/transports.cf"
    constant = change(file, "SELECT transport", "SELECT 'smtp:[mx.hosting.example]'")
    assert clean(constant)(tmp_path / "constant") == []
    nothing = change("postfix/sql/aliases.cf", "SELECT goto", "SELECT 'a:b'")
    found = run_checks(configuration(tmp_path / "nothing", nothing))
    assert codes(found) == {"wrong-column-selected"}


def test_the_wildcard_of_the_panel_is_found_when_its_table_is_queried(tmp_path):
    facts = replace(ROWS, star_transport_domains=("example.org",))
    assert clean(facts=facts)(tmp_path / "unasked") == []
    file = "postfix/sql/transports.cf"
    database = (SAMPLES / "clean" / file).read_text().partition("query =")[0]
    query = "SELECT transport FROM mailadmin_transport WHERE pattern = '%s' AND active = 1"
    ours = write(file, f"{database}query = {query}\n")
    found = run_checks(configuration(tmp_path / "asked", ours, facts=facts))
    assert codes(found) == {"star-transport-takes-all"}
    careless = change(file, " AND active = 1")
    found = run_checks(configuration(tmp_path / "careless", ours, careless))
    assert codes(found) == {"inactive-rows-answer"}


def test_the_wildcard_of_the_panel_is_found_when_a_legacy_view_is_queried(tmp_path):
    facts = replace(ROWS, star_transport_domains=("example.org",))
    file = "postfix/sql/transports.cf"
    database = (SAMPLES / "clean" / file).read_text().partition("query =")[0]
    query = "SELECT transport FROM transport WHERE domain = '%s'"
    found = run_checks(
        configuration(tmp_path, write(file, f"{database}query = {query}\n"), facts=facts)
    )
    assert codes(found) == {"star-transport-takes-all"}
    assert [each.fault.about for each in found] == ["example.org"]


NO_MIRRORS = (
    change("postfix/main.cf", "    $sql/alias-domains.cf,\n"),
    change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
)
MIRRORED = replace(ROWS, alias_domains=frozenset({"branch.example"}))


@pytest.mark.parametrize(
    "edits, facts",
    [
        ((), replace(MIRRORED, catch_alls=frozenset({"branch.example"}))),
        (
            (
                change(
                    "postfix/main.cf", "$sql/aliases.cf,", "inline:{@branch.example=@example.org}"
                ),
            ),
            MIRRORED,
        ),
        ((change("postfix/sql/aliases.cf", "FROM alias", "FROM virtual_aliases"),), MIRRORED),
        ((change("postfix/main.cf", "$sql/aliases.cf,", "$sql/aliases.cf, ldap:x"),), MIRRORED),
    ],
    ids=["row", "file", "view", "unknown map"],
)
def test_an_alias_domain_may_be_listed_in_other_ways(edits, facts, tmp_path):
    found = run_checks(configuration(tmp_path, *NO_MIRRORS, *edits, facts=facts))
    assert "no-alias-domain-map" not in codes(found)


def test_one_alias_domain_without_a_row_is_enough(tmp_path):
    more = frozenset({"branch.example", "other.example"})
    facts = replace(ROWS, alias_domains=more, catch_alls=frozenset({"branch.example"}))
    found = run_checks(configuration(tmp_path, *NO_MIRRORS, facts=facts))
    [fault] = [each.fault for each in found if each.check.code == "no-alias-domain-map"]
    assert fault.about == "other.example"


@pytest.mark.parametrize(
    "line",
    [
        "smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache",
        "smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache",
        "address_verify_map = proxy:btree:$data_directory/verify_cache",
        "postscreen_cache_map = btree:$data_directory/postscreen_cache",
    ],
)
def test_a_cache_created_by_postfix_is_not_missing(line, tmp_path):
    assert clean(main_cf(line))(tmp_path) == []


def test_etc_aliases_is_not_required_in_a_copied_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "is_path_missing", lambda path: str(path).startswith("/etc/aliases"))
    line = main_cf("alias_database = hash:/etc/aliases")
    assert clean(line)(tmp_path / "copy") == []
    monkeypatch.setattr(files, "POSTFIX_FOLDERS", [str(tmp_path / "live/postfix")])
    found = run_checks(configuration(tmp_path / "live", line))
    assert codes(found) == {"missing-map-file"}


@pytest.mark.parametrize("kind, clashes", [("relaydomain", False), ("domain", True)])
def test_constants_of_any_column_separate_domains(kind, clashes, tmp_path):
    edits = (
        change("postfix/sql/relays.cf", "backupmx = '1'", f"type = '{kind}'"),
        change("postfix/sql/domains.cf", "backupmx = '0'", "type = 'domain'"),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"relay-and-virtual"} if clashes else set())


def test_a_missing_table_of_mailboxes_matters_unless_recipients_are_verified(tmp_path):
    gone = change("postfix/main.cf", "virtual_mailbox_maps = $sql/mailboxes.cf\n")
    assert codes(run_checks(configuration(tmp_path / "missing", gone))) == {"parameter-not-set"}
    verified = main_cf("smtpd_recipient_restrictions = reject_unverified_recipient")
    assert clean(gone, verified)(tmp_path / "verified") == []


@pytest.mark.parametrize(
    "local_part, is_missed",
    [
        ("CONCAT(SUBSTRING_INDEX('%s', '@', 1), '@', alias_domain.target_domain)", False),
        ("CONCAT('%u', '@', alias_domain.target_domain) AND '%s' <> ''", True),
    ],
)
def test_one_query_may_match_catch_alls_too(local_part, is_missed, tmp_path):
    edits = (
        change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
        change(
            "postfix/sql/alias-domains.cf",
            "CONCAT('%u', '@', alias_domain.target_domain)",
            local_part,
        ),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"no-alias-domain-catch-all"} if is_missed else set())


def test_an_unused_pipe_is_not_checked(tmp_path):
    assert "maildrop" in (SAMPLES / "clean/postfix/master.cf").read_text()
    used = replace(ROWS, transports=frozenset({"virtual", "maildrop:"}))
    assert clean()(tmp_path) == []
    found = run_checks(configuration(tmp_path / "used", facts=used))
    assert codes(found) == {"pipe-needs-one-recipient"}


@pytest.mark.parametrize(
    "edit, about",
    [
        (change("postfix/main.cf", "lmtp:unix:private/dovecot-lmtp", "dovecot"), "dovecot"),
        (change("postfix/main.cf", "$sql/transports.cf", "inline:{a.test=Virtual:}"), "Virtual"),
        (main_cf("default_transport = uucp:gate"), "uucp"),
    ],
)
def test_services_are_collected_from_all_transport_settings(edit, about, tmp_path):
    found = run_checks(configuration(tmp_path, edit))
    faults = [each.fault for each in found if each.check.code == "unknown-transport-service"]
    assert [fault.about for fault in faults] == [about]


def test_a_table_prefix_is_understood(tmp_path):
    edit = change(
        "postfix/sql/aliases.cf",
        "FROM alias WHERE address = '%s' AND active = '1'",
        "FROM pa_alias WHERE address = '%s'",
    )
    looked_at = replace(configuration(tmp_path, edit), prefix="pa_")
    assert codes(run_checks(looked_at)) == {"inactive-rows-answer"}


def test_an_unreadable_file_is_not_reported_as_missing(tmp_path):
    union = change(
        "postfix/main.cf", "$sql/aliases.cf,", "$sql/aliases.cf, texthash:/etc/postfix/t"
    )
    looked_at = configuration(tmp_path, union)
    (tmp_path / "postfix/t").mkdir()  # which is a directory, unreadable even for root
    found = run_checks(looked_at)
    assert [(each.check.code, each.fault.about) for each in found] == [
        ("unreadable-file", "Is a directory")
    ]


FILE_SETTINGS = (
    "postfix/main.cf",
    "postfix/master.cf",
    "postfix/sql/senders.cf",
    "dovecot/dovecot.conf",
)
MUTILATED = ("dovecot/conf.d/10-mail.conf", SQL, *FILE_SETTINGS)


@given(
    st.sampled_from([*((name, "clean") for name in MUTILATED), (NEW, "modern")]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.text("${}?:=<>()[]%'\"!#*\\ \0\t\n,-o@/²٣aé", max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_the_check_terminates_on_any_input(file, where, cut, put):
    with tempfile.TemporaryDirectory() as folder:
        name, dovecot = file
        looked_at = configuration(Path(folder), dovecot=dovecot)
        path = Path(folder) / name
        text = path.read_text()
        at = int(where * len(text))
        path.write_text(text[:at] + put + text[at + cut :])
        assert isinstance(run_checks(looked_at), list)


# Passwords


def bare(scheme):
    """Return a password stored in a scheme, without its prefix."""
    stored = passwords.make_hash("correct", "bob@example.org", scheme)
    return stored.partition("}")[2] if stored.startswith("{") else stored


@pytest.mark.mailserver
@pytest.mark.parametrize("default", ["CRYPT", "BLF-CRYPT", "MD5-CRYPT", "MD5", "SHA1", "SHA512"])
def test_the_scheme_table_matches_dovecot(default):
    crypts = ["BLF-CRYPT", "MD5-CRYPT", "SHA512-CRYPT", "DES-CRYPT", "ARGON2ID"]
    for scheme in [*crypts, "PLAIN-MD5.HEX", "SHA1.HEX", "SHA256.HEX", "SHA512.HEX"]:
        stored = bare(scheme)
        verified = subprocess.run(
            [command("doveadm"), "pw", "-t", f"{{{default}}}{stored}", "-p", "correct"],
            capture_output=True,
        )
        reads = is_readable_as(identify_hash(stored).name, default)
        assert (verified.returncode == 0) is reads, f"{scheme} under {default}"


def test_kinds_of_stored_passwords_are_distinguished():
    assert identify_hash("{SHA512.HEX}ab") == PasswordHashKind("SHA512", True)
    assert identify_hash("$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA") == PasswordHashKind(
        "ARGON2ID", False
    )
    assert identify_hash("ab" * 64) == PasswordHashKind("HEX:128", False)
    assert identify_hash("{g}uess") == PasswordHashKind("G", True)
    assert identify_hash("secret") == PasswordHashKind("TEXT", False)
    assert identify_hash("") is None
    assert all(isinstance(shapes, (set, frozenset)) for shapes in READABLE_FORMATS.values())


# The panel's database


class DatabaseTests(World):
    def test_findings_of_the_database_are_reported(self):
        Alias.objects.filter(pk="bob@example.org").delete()
        org = Domain.objects.get(pk="example.org")
        Alias.objects.create(address="@example.org", goto="info@example.org", domain=org)
        Alias.objects.create(address="example.com", goto="bob@example.org", domain=org)
        Domain.objects.create(domain="backup.example", backupmx=True, transport="relay:")
        Domain.objects.create(domain="off.example", active=False)
        Domain.objects.create(domain="branch.example")
        AliasDomain.objects.create(alias_domain_id="branch.example", target_domain_id="example.org")
        Mailbox.objects.filter(pk="carol@example.com").update(password="ab" * 64)
        facts = rows.load_database_facts()
        self.assertEqual(facts.virtual_domains, {"example.org", "example.com", "branch.example"})
        self.assertEqual(facts.alias_domains, {"branch.example"})
        self.assertEqual(facts.catch_alls, {"example.org"})
        self.assertEqual(facts.mailboxes_behind_catch_all, ("bob@example.org",))
        self.assertEqual(facts.domain_only_aliases, ("example.com",))
        self.assertEqual(facts.maildir_layouts, {"%d/%n"})
        self.assertIn("relay:", facts.transports)
        self.assertEqual(facts.star_transport_domains, ())
        self.assertEqual(
            facts.hash_kinds,
            {PasswordHashKind("BLF-CRYPT", False), PasswordHashKind("HEX:128", False)},
        )

    def test_a_wildcard_of_the_panel_matches_domains_without_a_row(self):
        Transport.objects.create(pattern="*", transport="smtp:[mx.hosting.example]")
        Transport.objects.create(pattern="example.com", transport=":")
        facts = rows.load_database_facts()
        self.assertEqual(facts.star_transport_domains, ("example.org",))
        self.assertIn("smtp:[mx.hosting.example]", facts.transports)

    def test_an_inactive_catch_all_matches_nothing(self):
        Alias.objects.filter(pk="bob@example.org").delete()
        org = Domain.objects.get(pk="example.org")
        Alias.objects.create(address="@example.org", goto="x@y.example", domain=org, active=False)
        self.assertEqual(rows.load_database_facts().mailboxes_behind_catch_all, ())


@pytest.mark.mariadb
class CharsetTests(World):
    def test_columns_that_are_not_unicode_are_found(self):
        self.assertEqual(rows.load_database_facts().non_unicode_tables, NARROW)


# The command


def run(*arguments):
    out, err = StringIO(), StringIO()
    status = 0
    try:
        call_command("mailserver", "check", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        status = end.code
    return status, out.getvalue(), err.getvalue()


class CommandTests(World):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.folder = tmp_path

    def check(self, *edits, options=(), **samples):
        configuration(self.folder, *edits, **samples)
        folders = [f"--{name}={self.folder / name}" for name in ("postfix", "dovecot")]
        return run(*folders, *options)

    def test_no_findings_are_reported_with_status_0(self):
        status, out, err = self.check()
        self.assertEqual((status, out, err), (0, "No problems found.\n", ""))

    def test_a_finding_has_code_file_line_reason_and_fix(self):
        status, out, _err = self.check(main_cf("myorigin = example.org"))
        self.assertEqual(status, 0)  # a warning
        self.assertIn("WARNING: The host's own name is a virtual domain", out)
        self.assertIn("[system-mail-into-virtual-domain]", out)
        self.assertIn(f"{self.folder}/postfix/main.cf:28  (myorigin: example.org)", out)
        self.assertIn("| myorigin = example.org", out)
        self.assertIn("Why: Mail to root", out)
        self.assertIn("Fix: Set myhostname", out)

    def test_an_error_ends_with_1(self):
        edit = change("postfix/main.cf", "= localhost", "= localhost $myhostname example.com")
        status, out, _err = self.check(edit)
        self.assertEqual(status, 1)
        self.assertIn("(example.com)", out)

    def test_json_output_has_the_same_findings(self):
        status, out, _err = self.check(main_cf("myorigin = example.org"), options=["--json"])
        answer = json.loads(out)
        self.assertIs(answer["database"], True)
        [found] = answer["findings"]
        self.assertEqual(found["code"], "system-mail-into-virtual-domain")
        self.assertEqual((found["line"], found["severity"]), (28, "warning"))

    def test_passwords_are_masked(self):
        opened = [
            lambda folder, file=file: (folder / file).chmod(0o644)
            for file in ("postfix/sql/aliases.cf", SQL)
        ]
        for options in ([], ["--json"]):
            status, out, err = self.check(*opened, options=options)
            self.assertEqual(status, 1)
            self.assertIn("password = ********", out)
            self.assertIn("user=dovecot password=********", out)
            self.assertNotIn("for-postfix", out + err)
            self.assertNotIn("pa$$word", out + err)
            shutil.rmtree(self.folder / "postfix")
            shutil.rmtree(self.folder / "dovecot")

    def test_one_folder_may_be_checked_alone(self):
        configuration(self.folder)
        self.assertEqual(run(f"--dovecot={self.folder}/dovecot")[0], 0)

    def test_a_missing_folder_is_named(self):
        with self.assertRaisesMessage(
            CommandError, "There is no folder /nowhere/postfix."
        ) as caught:
            run("--postfix=/nowhere/postfix")
        self.assertEqual(caught.exception.returncode, 2)

    def test_an_unrelated_folder_is_refused(self):
        with self.assertRaisesMessage(CommandError, "Cannot read dovecot.conf in"):
            run(f"--dovecot={self.folder}")


def test_files_are_checked_without_a_database(tmp_path):
    configuration(tmp_path, main_cf("this is no setting"))
    environment = os.environ | {"MAILADMIN_DATABASE_URL": f"sqlite://{tmp_path}/empty.sqlite3"}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    ended = subprocess.run(
        [sys.executable, "manage.py", "mailserver", "check", f"--postfix={tmp_path}/postfix"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "[broken-line]" in ended.stdout
    assert "The database does not answer, so only the files were checked." in ended.stderr
    assert ended.returncode == 1
