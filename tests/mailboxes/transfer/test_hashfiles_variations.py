"""Imports of map files: other ways to configure them."""

import shutil

import pytest

from tests.mailboxes.transfer.hash_files import ALIASES, PEOPLE, refusal
from tests.mailboxes.transfer.reading import Read, changed


def main_cf(etc, old, new):
    changed(etc / "postfix/main.cf", old, new)
    return etc / "postfix"


def test_a_wrong_path_is_searched_for_and_reported(etc):
    folder = main_cf(etc, "virtual/mailbox/domains", "virtual/domains")
    read = Read("hashfiles", folder)
    assert list(PEOPLE) == list(read.values("domain", "domain"))[:3]
    assert read.places("which does not exist: virtual/mailbox/domains is read") == [
        "main.cf, line 8"
    ]


def test_a_missing_file_is_reported_with_its_parameter(etc):
    folder = main_cf(etc, "virtual/mailbox/domains", "virtual/hosted")
    assert refusal(folder) == (
        "main.cf, line 8: virtual_mailbox_domains names /etc/postfix/virtual/hosted,"
        " which does not exist."
    )
    (folder / "virtual/hosted.db").touch()
    assert "of which only the .db file exists" in refusal(folder)


def test_an_ambiguous_file_name_is_not_guessed(etc):
    folder = main_cf(etc, "virtual/mailbox/domains", "virtual/domains")
    shutil.copy(folder / "virtual/mailbox/domains", folder / "virtual/aliases")
    assert "which does not exist" in refusal(folder)


def test_an_mbox_keeps_its_path_and_is_reported(etc):
    path = etc / "postfix/virtual/mailbox/alpha.example.org"
    changed(path, "alpha.example.org/bob/", "alpha.example.org/bob")
    read = Read("hashfiles", etc / "postfix")
    assert read.values("mailbox", "username")["bob@alpha.example.org"]["maildir"] == (
        "alpha.example.org/bob"
    )
    assert read.places("in one file (mbox)") == ["virtual/mailbox/alpha.example.org, line 3"]


def test_without_a_base_paths_are_absolute(etc):
    folder = main_cf(etc, "virtual_mailbox_base = /var/spool/postfix/vmail\n", "")
    assert Read("hashfiles", folder).has_lost("The mail is stored in /:")


def test_the_first_of_duplicate_keys_is_used(etc):
    path = etc / "postfix/virtual/aliases/common"
    path.write_text(path.read_text() + "INFO@forwards.example eve@example.net\n")
    read = Read("hashfiles", etc / "postfix")
    assert read.goto()["info@forwards.example"] == ["auntie@beta.example.org"]
    assert read.places("only the first one is used") == ["virtual/aliases/common, line 13"]


def test_a_domain_with_mailboxes_on_the_left_of_an_alias_is_refused(etc):
    path = etc / "postfix/virtual/aliases/common"
    path.write_text(path.read_text() + "alpha.example.org anything\n")
    read = Read("hashfiles", etc / "postfix")
    (entry,) = [entry for entry in read.of("alias") if entry.error]
    assert entry.values["address"] == "alpha.example.org"
    assert "domain without mailboxes" in entry.error


def test_virtual_alias_domains_are_read_from_main_cf(etc):
    folder = etc / "postfix"
    (folder / "main.cf").write_text(
        (folder / "main.cf").read_text() + "virtual_alias_domains = forwards.example\n"
    )
    read = Read("hashfiles", folder)
    assert "forwards.example" in read.values("domain", "domain")
    assert "delta.example" not in read.values("domain", "domain")
    refused = {entry.values["address"] for entry in read.of("alias") if entry.error}
    assert refused == {"delta.example"}


def test_domains_are_read_from_names_files_and_inline_maps(etc):
    folder = main_cf(
        etc,
        "virtual_mailbox_domains = hash:/etc/postfix/virtual/mailbox/domains",
        "virtual_mailbox_domains = $also, /etc/postfix/names, inline:{ {gamma.example.org=OK} }\n"
        "also = alpha.example.org",
    )
    (folder / "names").write_text("# so\nbeta.example.org\n")
    assert set(PEOPLE) <= set(Read("hashfiles", folder).values("domain", "domain"))


def test_domains_may_be_listed_among_the_mailboxes(etc):
    """The default of Postfix if virtual_mailbox_domains is not set."""
    folder = main_cf(
        etc, "virtual_mailbox_domains = hash:/etc/postfix/virtual/mailbox/domains\n", ""
    )
    path = folder / "virtual/mailbox/beta.example.org"
    path.write_text(path.read_text() + "beta.example.org anything\n")
    read = Read("hashfiles", folder)
    domains = [*read.values("domain", "domain")]
    assert domains == [
        *("beta.example.org", "forwards.example", "delta.example", "backup.example.net")
    ]
    assert len(read.of("mailbox")) == 9


def test_local_destinations_are_not_backup_mx_domains(etc):
    folder = main_cf(etc, "relay_domains = ", "relay_domains = $mydestination, ")
    domains = Read("hashfiles", folder).values("domain", "domain")
    assert [name for name, values in domains.items() if values] == ["backup.example.net"]


def test_maps_that_cannot_be_listed_are_reported(etc):
    folder = main_cf(
        etc,
        "virtual_alias_maps = ",
        "virtual_alias_maps = proxy:mysql:/etc/postfix/sql.cf, regexp:/etc/postfix/re, ",
    )
    read = Read("hashfiles", folder)
    assert read.goto() == ALIASES
    assert read.places("is not a list of keys and values") == [
        "virtual_alias_maps: proxy:mysql:/etc/postfix/sql.cf (main.cf, line 13)",
        "virtual_alias_maps: regexp:/etc/postfix/re (main.cf, line 13)",
    ]


def test_a_catch_all_mailbox_is_reported(etc):
    path = etc / "postfix/virtual/mailbox/beta.example.org"
    path.write_text(path.read_text() + "@beta.example.org beta.example.org/all/\n")
    read = Read("hashfiles", etc / "postfix")
    assert len(read.of("mailbox")) == 9
    assert read.places("Create a catch-all instead") == ["virtual/mailbox/beta.example.org, line 5"]


def test_a_line_of_binary_bytes_is_skipped_and_reported(etc):
    path = etc / "postfix/virtual/mailbox/beta.example.org"
    path.write_bytes(path.read_bytes() + b"m\xfcller@beta.example.org beta.example.org/m/\n")
    users = etc / "dovecot/users"
    users.write_bytes(users.read_bytes() + b"chou@beta.example.org:{PLAIN}\xfc:::::\n")
    folder = main_cf(etc, "virtual_mailbox_domains = ", "virtual_mailbox_domains = /etc/postfix/n ")
    (folder / "n").write_bytes(b"one.example\nm\xfcller.example\n")
    read = Read("hashfiles", folder)
    assert len(read.of("mailbox")) == 9
    assert read.places("that is not valid text") == [
        "n, line 2",
        "virtual/mailbox/beta.example.org, line 5",
        f"{users}, line 7",
    ]


def test_binary_bytes_in_main_cf_do_not_crash(etc):
    path = etc / "postfix/main.cf"
    whole = path.read_bytes()
    for value in (b"inline:{ {m\xfc.example=OK} }", b"regexp:/etc/postfix/m\xfc", b"m\xfc.example"):
        path.write_bytes(whole.replace(b"relay_domains = ", b"relay_domains = " + value + b" "))
        read = Read("hashfiles", etc / "postfix")
        assert read.has_lost("that is not valid text") or read.has_lost("is not a list of keys")
        assert repr(read.losses).encode()
    path.write_bytes(whole.replace(b"relay_domains = ", b"relay_domains = hash:/m\xfc "))
    assert "/m�, which does not exist" in refusal(etc / "postfix")


@pytest.mark.parametrize("text", ["", "myhostname = mail.example.org\n"])
def test_a_main_cf_without_files_is_refused(tmp_path, text):
    (tmp_path / "main.cf").write_text(text)
    assert "No files with virtual domains" in refusal(tmp_path)


def test_missing_paths_and_other_files_are_refused(tmp_path, etc):
    assert refusal(tmp_path / "none") == f"{tmp_path}/none: No such file or folder."
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "No files with" in refusal(empty)
    folder = main_cf(etc, "myhostname = ", "my hostname is ")
    assert refusal(folder).startswith("main.cf, line 1: This line is not valid in main.cf")
