"""Reading map files of Postfix and passwd-files of Dovecot."""

import shutil
import subprocess

import pytest
from django.utils.translation import override

from mailadmin import passwords
from mailadmin.translation import decode_text, encode_text
from tests import servers
from tests.mailboxes.transfer.hash_files import ALIASES, PEOPLE, SAMPLE
from tests.mailboxes.transfer.reading import SAMPLES, Read, changed


def test_places_are_in_the_language_of_the_reader():
    with override("de"):
        read = Read("hashfiles", SAMPLE)
        places = [read.of(kind)[0].place for kind in ("domain", "mailbox", "alias", "transport")]
        stored = [encode_text(place) for place in places]
        assert all(", Zeile " in place for place in places), places
    with override("en"):
        assert all(", line " in decode_text(text) for text in stored), stored


@pytest.mark.parametrize("source", [SAMPLE, SAMPLE / "main.cf"])
def test_every_kind_is_read_with_its_line(source):
    read = Read("hashfiles", source)
    assert read.kinds == ["domain", "mailbox", "alias", "alias-domain", "transport"]
    assert read.of("mailbox")[0].place == "virtual/mailbox/alpha.example.org, line 2"
    assert read.of("alias")[0].place == "virtual/aliases/common, line 5"
    assert not any(entry.error for entry in read.entries)


def test_every_mailbox_keeps_its_path():
    maildirs = Read("hashfiles", SAMPLE).column("mailbox", "username", "maildir")
    assert maildirs == {
        f"{name}@{domain}": f"{domain}/{name}/" for domain in PEOPLE for name in PEOPLE[domain]
    }


def test_domains_keep_their_class():
    domains = Read("hashfiles", SAMPLE).values("domain", "domain")
    assert domains == {
        **{name: {} for name in PEOPLE},
        "forwards.example": {},
        "delta.example": {},
        "backup.example.net": {"backupmx": "1", "transport": "relay:[mx.example.net]"},
    }


def test_aliases_comments_and_continued_lines_are_parsed_like_postfix():
    read = Read("hashfiles", SAMPLE)
    assert read.goto() == ALIASES
    assert read.column("alias-domain", "alias_domain", "target_domain") == {
        "delta.example": "alpha.example.org"
    }
    assert read.column("transport", "pattern", "transport") == {
        "backup.example.net": "relay:[mx.example.net]",
        ".example.net": "smtp:[mx.example.net]:2025",
        "chou@beta.example.org": ":",
    }


@pytest.mark.mailserver
def test_postmap_finds_the_same_keys(etc):
    """Compared with Postfix: every key of postmap is one of the reader."""
    read = Read("hashfiles", etc / "postfix")
    rows = read.column("mailbox", "username", "maildir")
    for path in (etc / "postfix/virtual/mailbox").glob("*.example.org"):
        subprocess.run([servers.command("postmap"), f"hash:{path}"], check=True, cwd=etc)
        result = subprocess.run(
            [servers.command("postmap"), "-s", f"hash:{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for line in result.splitlines():
            address, maildir = line.split("\t")
            assert rows.pop(address) == maildir
    assert not rows


def test_mailboxes_hidden_by_a_catch_all_are_reported(etc):
    """Postfix looks up the alias of a whole domain before mailboxes."""
    path = etc / "postfix/virtual/aliases/common"
    changed(path, "alistair@gamma.example.org  alistair@gamma.example.org\n", "")
    assert Read("hashfiles", etc / "postfix").places("took the mail of a mailbox") == [
        "alistair@gamma.example.org"
    ]


def test_passwords_and_quotas_come_from_dovecots_file():
    read = Read("hashfiles", SAMPLE)
    mailboxes = read.values("mailbox", "username")
    for name in ("alfred", "bob", "charlie"):
        stored = mailboxes[f"{name}@alpha.example.org"]["password_hash"]
        assert passwords.verify(name, stored)
    assert mailboxes["bob@alpha.example.org"]["quota_bytes"] == str(100 * 2**20)
    assert mailboxes["charlie@alpha.example.org"]["quota_bytes"] == "5000"
    without = [name for name, values in mailboxes.items() if "password_hash" not in values]
    assert sorted(without) == sorted(
        f"{name}@{domain}"
        for domain in ("beta.example.org", "gamma.example.org")
        for name in PEOPLE[domain]
    )


def test_unsupported_entries_are_reported():
    read = Read("hashfiles", SAMPLE)
    users = str(SAMPLES / "hash/dovecot/users")
    assert read.places("stored in /var/spool/postfix/vmail") == [
        "virtual_mailbox_base (main.cf, line 7)"
    ]
    assert set(read.places("Other parameters of main.cf")) == {
        "virtual_uid_maps (main.cf, line 16)",
        "virtual_gid_maps (main.cf, line 17)",
        "virtual_minimum_uid (main.cf, line 14)",
        "smtpd_sender_login_maps (main.cf, line 20)",
        "mydestination (main.cf, line 3)",
    }
    assert read.places("uid, gid") == [f"{users}, line 3", f"{users}, line 5"]
    assert read.places("not imported (home") == [f"{users}, line 3"]
    assert read.places("allow_nets") == [f"{users}, line 4"]
    assert read.places("Login without a mailbox") == [f"{users}, line 6"]


def test_mailboxes_are_read_without_passwords(etc):
    shutil.rmtree(etc / "dovecot")
    mailboxes = Read("hashfiles", etc / "postfix").values("mailbox", "username")
    assert len(mailboxes) == 9
    assert not any("password_hash" in values for values in mailboxes.values())
