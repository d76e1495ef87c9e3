"""PostfixAdmin of 2007 as a source of imports."""

import pytest

from mailadmin import passwords
from mailboxes.transfer.entries import SourceError
from tests.mailboxes.transfer.reading import SAMPLES, Read, copied

GUIDE = SAMPLES / "postfixadmin-2007.sql"


CRAM = SAMPLES / "postfixadmin-cram.sql"


# A database of 2007


def test_every_password_of_2007_still_verifies():
    read = Read("postfixadmin", GUIDE)
    hashes = read.column("mailbox", "username", "password_hash")
    hashes |= read.column("admin", "username", "password_hash")
    assert len(hashes) == 10
    for name, stored in hashes.items():
        assert len(stored) == 13
        assert passwords.verify(name.partition("@")[0], stored, name)


def test_the_admin_of_2007_is_a_superadmin_without_a_domain():
    assert Read("postfixadmin", GUIDE).values("admin", "username") == {
        "admin": {
            "password_hash": "6dwLx9NTxhTjU",
            "active": "1",
            "superadmin": True,
            "domains": [],
        }
    }


def test_texts_with_line_ends_are_joined_and_reported():
    read = Read("postfixadmin", GUIDE)
    assert read.column("domain", "domain", "description") == {
        "alpha.example.org": "Alpha Tester",
        "beta.example.org": "Beta Site",
        "gamma.example.org": "Gamma Born",
    }
    assert read.column("mailbox", "username", "name")["cinder@gamma.example.org"] == "Cinder"
    assert read.places("Line breaks")[-1] == "mailbox, cinder@gamma.example.org"


def test_maildirs_of_2007_are_kept_and_unset_values_stay_unset():
    (domain, *_others) = Read("postfixadmin", GUIDE).of("domain")
    assert domain.values == {
        "domain": "alpha.example.org",
        "description": "Alpha Tester",
        "aliases": "10",
        "mailboxes": "10",
        "maxquota": "0",
        "quota": "0",
        "transport": "virtual",
        "backupmx": "0",
        "active": "1",
    }
    maildirs = Read("postfixadmin", GUIDE).column("mailbox", "username", "maildir")
    assert maildirs["ben@gamma.example.org"] == "gamma.example.org/ben@gamma.example.org/"


def test_mailboxes_hidden_by_a_catch_all_are_reported(tmp_path):
    """The guides created no aliases for mailboxes."""
    path = copied("postfixadmin-2007.sql", tmp_path)
    assert not Read("postfixadmin", path).has_lost("took the mail of a mailbox")
    path.write_text(
        path.read_text() + "INSERT INTO alias (address, goto) VALUES"
        " ('@gamma.example.org', 'cinder@gamma.example.org'),"
        " ('cinder@gamma.example.org', 'cinder@gamma.example.org');"
    )
    assert Read("postfixadmin", path).places("took the mail of a mailbox") == [
        *("alistair@gamma.example.org", "ben@gamma.example.org"),
    ]


# A part of a database, with a prefix, CRAM-MD5, and latin1


def test_tables_are_found_by_their_prefix():
    read = Read("postfixadmin", CRAM)
    assert read.kinds == ["domain", "mailbox", "alias", "alias-domain"]
    assert read.of("mailbox")[0].place == "mailbox, admin@magazin.com"
    assert read.column("domain", "domain", "backupmx") == {
        "magazin.com": "0",
        "book.com": "0",
        "example.com": "0",
        "backup.example.net": "1",
    }
    assert read.column("alias-domain", "alias_domain", "target_domain") == {
        "book.com": "magazin.com"
    }


def test_cram_md5_without_its_prefix_still_verifies():
    hashes = Read("postfixadmin", CRAM).column("mailbox", "username", "password_hash")
    assert hashes["admin@magazin.com"].startswith("{CRAM-MD5}")
    for address, stored in hashes.items():
        assert passwords.verify("secret", stored, address)


def test_a_dump_in_latin1_is_decoded():
    read = Read("postfixadmin", CRAM)
    assert read.column("mailbox", "username", "name")["admin@magazin.com"] == "René"
    assert read.column("domain", "domain", "description")["magazin.com"] == "Zürich"


def test_a_mailboxs_own_alias_and_the_vacation_target_are_omitted(tmp_path):
    assert Read("postfixadmin", CRAM).goto() == {
        "wilma@example.com": ["wilma.pebble@example.com"],
        "pebble@example.com": ["wilma.pebble@example.com"],
        "off@magazin.com": ["admin@magazin.com"],
        "@magazin.com": ["admin@magazin.com"],
    }
    path = tmp_path / "dump.sql"
    own = b"'old@magazin.com,old#magazin.com@auto"
    assert own in CRAM.read_bytes()
    path.write_bytes(CRAM.read_bytes().replace(own, b"'boss@example.com,old#magazin.com@auto"))
    assert Read("postfixadmin", path).goto()["old@magazin.com"] == ["boss@example.com"]
    path.write_bytes(CRAM.read_bytes().replace(own, b"'Old#Magazin.com@auto"))
    read = Read("postfixadmin", path)
    assert "old@magazin.com" not in read.goto()
    assert read.places("a copy is now kept") == ["alias, old@magazin.com"]


def test_tables_of_similar_names_are_skipped_and_reported(tmp_path):
    path = tmp_path / "dump.sql"
    more = b"CREATE TABLE old_alias (address text);INSERT INTO old_alias VALUES ('a'),('b');"
    path.write_bytes(more + CRAM.read_bytes())
    read = Read("postfixadmin", path)
    assert read.places("Unknown table") == ["old_alias (rows: 2)"]
    assert read.entries == Read("postfixadmin", CRAM).entries


def test_the_all_row_is_not_a_domain():
    assert "ALL" not in Read("postfixadmin", CRAM).values("domain", "domain")


def test_two_postfixadmins_in_one_database_are_not_mixed(tmp_path):
    path = tmp_path / "dump.sql"
    path.write_bytes(GUIDE.read_bytes() + CRAM.read_bytes().replace(b"-- MySQL dump", b"-- "))
    with pytest.raises(SourceError, match="with the prefixes “”, “pfa_”"):
        Read("postfixadmin", path)


@pytest.mark.parametrize("table", ["domain", "mailbox", "alias"])
def test_a_database_without_the_expected_tables_is_refused(tmp_path, table):
    path = copied("postfixadmin-2007.sql", tmp_path)
    text = (
        path.read_text()
        .replace(f"TABLE `{table}`", "TABLE `x`")
        .replace(f"INTO {table} ", "INTO x ")
    )
    path.write_text(text)
    with pytest.raises(SourceError) as refused:
        Read("postfixadmin", path)
    assert str(refused.value) == (
        f"This is not a valid PostfixAdmin database: the table {table} is missing."
    )
