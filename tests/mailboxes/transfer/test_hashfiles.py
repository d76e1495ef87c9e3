"""Reading map files of Postfix and passwd-files of Dovecot."""

import shutil
import subprocess

import pytest
from django.utils.translation import override

from mailadmin import passwords
from mailadmin.translation import decode_text, encode_text
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.passwdfiles import is_passwd_file, parse_quota
from tests import servers
from tests.mailboxes.transfer.reading import SAMPLES, Read, changed, copied

SAMPLE = SAMPLES / "hash/postfix"
PEOPLE = {
    "alpha.example.org": ("alfred", "bob", "charlie"),
    "beta.example.org": ("auntie", "bill", "chou"),
    "gamma.example.org": ("alistair", "ben", "cinder"),
}


@pytest.fixture
def etc(tmp_path):
    """A copy of a mail server's /etc."""
    return copied("hash", tmp_path)


@pytest.fixture
def bare(etc):
    """The same maps without main.cf, in one folder with the passwords."""
    (etc / "postfix/main.cf").unlink()
    shutil.rmtree(etc / "dovecot", ignore_errors=False)
    shutil.copy(SAMPLES / "hash/dovecot/users", etc / "postfix")
    return etc / "postfix"


def refusal(source):
    with pytest.raises(SourceError) as refused:
        Read("hashfiles", source)
    return str(refused.value)


ALIASES = {
    "@gamma.example.org": ["cinder@gamma.example.org"],
    "bill@beta.example.org": ["bill@beta.example.org", "bill@elsewhere.example"],
    "info@alpha.example.org": [
        *("alfred@alpha.example.org", "bob@alpha.example.org", "info@elsewhere.example"),
    ],
    "info@forwards.example": ["auntie@beta.example.org"],
}

# Parsing


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


# Variations


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


# Dovecot's file


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
