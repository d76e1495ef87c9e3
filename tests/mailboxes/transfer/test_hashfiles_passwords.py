"""Imports of map files: Dovecot's file, files without main.cf, uploads."""

import shutil
import subprocess

import pytest

from mailboxes.transfer.readers.passwdfiles import is_passwd_file, parse_quota
from tests import servers
from tests.mailboxes.transfer.hash_files import SAMPLE, refusal
from tests.mailboxes.transfer.reading import SAMPLES, Read, changed
from tests.mailboxes.transfer.test_hashfiles_variations import main_cf


@pytest.mark.parametrize(
    ("extra", "size"),
    [
        ("userdb_quota_rule=*:storage=100M", 100 * 2**20),
        ("a=b userdb_quota_rule=*:storage=2048 c=d", 2048 * 2**10),
        ("userdb_quota_rule=*:bytes=2048", 2048),
        ("quota_rule=*:storage=1G", 2**30),
        ("userdb_quota_storage_size=5g", 5 * 2**30),
    ],
)
def test_quotas_are_bytes(extra, size):
    assert parse_quota(extra) == str(size)


def test_a_quota_of_messages_is_ignored():
    assert parse_quota("userdb_quota_rule=*:messages=100") is None


def test_the_scheme_set_in_dovecot_is_used(etc):
    changed(etc / "dovecot/dovecot.conf", "scheme=CRYPT", "scheme=PLAIN")
    path = etc / "dovecot/users"
    path.write_text(path.read_text() + "ben@gamma.example.org:bensen word:::::\n")
    stored = Read("hashfiles", etc / "postfix").values("mailbox", "username")
    assert stored["ben@gamma.example.org"]["password_hash"] == "{PLAIN}bensen word"
    assert "hash" not in str(stored["chou@beta.example.org"])


def test_passwd_files_per_domain_contain_local_parts(etc):
    changed(
        etc / "dovecot/dovecot.conf",
        "username_format=%u /etc/dovecot/users\n}\nu",
        "/etc/dovecot/%d/passwd\n}\nu",
    )
    (etc / "dovecot/beta.example.org").mkdir()
    (etc / "dovecot/beta.example.org/passwd").write_text("chou:{PLAIN}chou::::::\n")
    mailboxes = Read("hashfiles", etc / "postfix").values("mailbox", "username")
    assert mailboxes["chou@beta.example.org"]["password_hash"] == "{PLAIN}chou"


def test_a_missing_passwd_file_is_reported(etc):
    (etc / "dovecot/users").unlink()
    assert Read("hashfiles", etc / "postfix").places("named in Dovecot's configuration") == [
        str(etc / "dovecot/users")
    ]


def test_mailboxes_are_read_from_dovecot_if_postfix_lists_none(etc):
    path = etc / "postfix/main.cf"
    lines = path.read_text().split("\n")
    path.write_text(
        "\n".join(line for line in lines if "virtual/mailbox/" not in line or "domains" in line)
    )
    read = Read("hashfiles", etc / "postfix")
    assert len(read.of("mailbox")) == 5
    assert "maildir" not in read.of("mailbox")[0].values


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("bob@example.org:{PLAIN}x:::::\n", True),
        ("# so\nbob:$6$salt$hash:5000:5000::/home/bob::\n", True),
        ("example.org smtp:[192.0.2.1]:25\n", False),
        ("bob@example.org example.org/bob/\n", False),
        ("smtp:x\n", False),
        ("", False),
    ],
)
def test_a_passwd_file_is_detected_by_its_lines(text, is_one):
    assert is_passwd_file(text) == is_one


# Without main.cf


def test_kinds_of_files_are_detected_by_content(bare):
    read, configured = Read("hashfiles", bare), Read("hashfiles", SAMPLE)
    assert sorted(map(repr, read.entries)) == sorted(map(repr, configured.entries))
    assert read.places("does not list domains") == ["senders"]


def test_a_single_file_of_mailboxes_gives_its_domain(bare):
    read = Read("hashfiles", bare / "virtual/mailbox/beta.example.org")
    assert list(read.values("domain", "domain")) == ["beta.example.org"]
    assert len(read.of("mailbox")) == 3
    assert read.has_lost("the domains of the mailboxes are used")


@pytest.mark.mailserver
def test_compiled_maps_are_ignored(bare):
    subprocess.run([servers.command("postmap"), f"hash:{bare}/virtual/mailbox/domains"], check=True)
    read = Read("hashfiles", bare)
    assert len(read.of("domain")) == 6


# Uploads


def test_an_archive_is_read_like_its_folder(tmp_path):
    for kind in ("zip", "gztar"):
        archive = shutil.make_archive(tmp_path / kind, kind, SAMPLES / "hash")
        sent = Read("hashfiles", archive).entries
        assert sorted(map(repr, sent)) == sorted(map(repr, Read("hashfiles", SAMPLE).entries))


@pytest.mark.parametrize(
    "path",
    [
        "{secret}",
        "/etc/postfix/../{up}{secret}",
        "../../{up}{secret}",
        "/etc/postfix/link",
    ],
)
def test_a_copy_reads_no_files_of_this_machine(etc, tmp_path_factory, path):
    secret = tmp_path_factory.mktemp("elsewhere") / "passwords"
    secret.write_text("root@secret.example:{PLAIN}hunter2:::::\n")
    (etc / "postfix/link").symlink_to(secret)
    path = path.format(secret=secret, up="../" * 20)
    changed(etc / "dovecot/dovecot.conf", "/etc/dovecot/users\n}\nuserdb", f"{path}\n}}\nuserdb")
    assert "hunter2" not in repr(Read("hashfiles", etc / "postfix").entries)
    for parameter in ("virtual_mailbox_domains = ", "virtual_alias_maps = "):
        folder = main_cf(etc, parameter, f"{parameter}hash:{path}, ")
        assert "which does not exist" in refusal(folder)
        main_cf(etc, f"{parameter}hash:{path}, ", parameter)
    folder = main_cf(etc, "relay_domains = ", f"relay_domains = /{path.lstrip('/')}, ")
    assert "which does not exist" in refusal(folder)


def test_an_uploaded_main_cf_reads_no_local_files(tmp_path):
    (tmp_path / "main.cf").write_text("virtual_alias_maps = hash:/etc/passwd\n")
    assert "which does not exist" in refusal(tmp_path / "main.cf")
