"""Reading PostfixAdmin's databases of every version."""

import os
import sqlite3
import subprocess
from urllib.parse import quote

import pytest
from django.db import connection

from domains.models import Domain, Transport
from mailadmin import passwords
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.postfixadmin import KNOWN_COLUMNS
from tests.base import PASSWORD
from tests.legacy_databases import SHAPES, Database
from tests.mailboxes.transfer.reading import SAMPLES, Read, copied
from tests.servers import command

GUIDE = SAMPLES / "postfixadmin-2007.sql"
CRAM = SAMPLES / "postfixadmin-cram.sql"
ALL_KINDS = [
    *("domain", "admin", "mailbox", "alias", "alias-domain", "vacation", "transport"),
    *("fetchmail", "app-password", "dkim-key", "dkim-signing", "totp-exception"),
]
MORE_KINDS = {
    "2.1": set(),
    "3.3.13": {"alias-domain", "fetchmail"},
    "4.0.5": set(ALL_KINDS) - {"transport"},
    "1856": set(ALL_KINDS) - {"transport"},
}
ALWAYS = {"domain", "admin", "mailbox", "alias", "vacation"}


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


# Every version


@pytest.fixture(params=SHAPES)
def shape(request, mariadb):
    database = Database.of_shape(mariadb, f"source_{request.param.replace('.', '')}", request.param)
    database.shape = request.param
    yield database
    database.drop()


@pytest.fixture
def latest(mariadb):
    database = Database.of_shape(mariadb, "source_latest", "1856", prefix="pfa_")
    yield database
    database.drop()


def url(database):
    return database.server.url(database.name)


@pytest.mark.mariadb
def test_every_version_is_read_completely(shape):
    read = Read("postfixadmin", url(shape))
    assert set(read.kinds) == ALWAYS | MORE_KINDS[shape.shape]
    assert read.kinds == [kind for kind in ALL_KINDS if kind in read.kinds]
    assert set(read.values("domain", "domain")) == {
        *("example.org", "example.com", "Upper.Example", "backup.example"),
    }
    hashes = read.column("mailbox", "username", "password_hash")
    assert passwords.verify(PASSWORD, hashes["bob@example.org"])
    assert hashes["o'hara+%_tag/x@example.org"] is None
    assert read.goto()["carol@example.com"] == ["carol@example.com", "bob@example.org"]


@pytest.mark.mariadb
def test_admins_keep_their_existing_domains(shape):
    read = Read("postfixadmin", url(shape))
    assert read.column("admin", "username", "domains") == {
        "root@example.net": [],
        "alice@example.org": ["example.org"],
        "Erin@Upper.Example": ["upper.example"],
        "frank@example.com": [],
    }
    marks = read.column("admin", "username", "superadmin")
    assert marks["root@example.net"] in (True, "1")
    assert marks["alice@example.org"] in (False, "0")
    assert read.places("that does not exist") == ["domain_admins, alice@example.org, gone.example"]
    assert "domain_admins, nobody@example.net, example.com" in read.places("who does not exist")


@pytest.mark.mariadb
def test_zero_dates_are_ignored(shape):
    if shape.shape == "2.1":
        assert "password_expiry" not in Read("postfixadmin", url(shape)).of("mailbox")[0].values
        return
    dates = Read("postfixadmin", url(shape)).column("mailbox", "username", "password_expiry")
    assert dates["carol@example.com"] is None
    assert dates["bob@example.org"] == "2000-01-01 00:00:00"


@pytest.mark.mariadb
def test_tables_not_imported_are_reported_with_their_size(shape):
    read = Read("postfixadmin", url(shape))
    assert read.places("The log: not imported") == ["log (rows: 4)"]
    assert "mailbox.x_note" in read.places("Unknown column")
    assert read.places("Unknown table") == ["x_greylist (rows: 1)"]
    if shape.shape != "2.1":
        assert read.places("Dovecot counts it again") == ["quota (rows: 1)", "quota2 (rows: 2)"]
        assert read.places("Record of senders who got a vacation reply") == [
            "vacation_notification (rows: 1)"
        ]
        assert read.places("become invalid")


@pytest.mark.mariadb
def test_a_dump_is_read_like_its_database(shape, tmp_path):
    path = tmp_path / "dump.sql"
    server = shape.server
    subprocess.run(
        [
            *(command("mariadb-dump"), "--no-defaults", f"--socket={server.socket}"),
            *(f"--user={server.user}", "--default-character-set=utf8mb4"),
            *(f"--result-file={path}", shape.name),
        ],
        env=os.environ | {"MYSQL_PWD": server.password},
        check=True,
    )
    dumped, live = Read("postfixadmin", path), Read("postfixadmin", url(shape))
    assert sorted(map(repr, dumped.entries)) == sorted(map(repr, live.entries))
    assert dumped.losses.keys() == live.losses.keys()


@pytest.mark.mariadb
def test_the_latest_version_is_read_completely(latest):
    read = Read("postfixadmin", url(latest))
    mailbox = read.values("mailbox", "username")["carol@example.com"]
    assert mailbox["totp_secret"] == "JBSWY3DPEHPK3PXP"
    assert mailbox["smtp_active"] == "0"
    assert read.values("mailbox", "username")["bob@example.org"] | {"password_hash": ""} == {
        "name": "Bob 🐎 Боб",
        "maildir": "example.org/bob/",
        "quota_bytes": "102400000",
        "active": "1",
        "smtp_active": "1",
        "phone": "+49 30 1",
        "email_other": "",
        "password_expiry": "2000-01-01 00:00:00",
        "password_hash": "",
    }
    assert read.column("alias", "address", "description")["info@example.org"] == "написано"
    (fetchmail,) = read.of("fetchmail")
    assert fetchmail.values["src_password"] == "c2VjcmV0"
    assert fetchmail.values["mailbox"] == "bob@example.org"
    (key,) = read.of("dkim-key")
    assert key.values["private_key"] == "private"
    assert [entry.values for entry in read.of("dkim-signing")] == [
        {"author": name, "domain_name": "example.org", "selector": "default"}
        for name in ("example.org", "bob@example.org")
    ]
    (app_password,) = read.of("app-password")
    assert app_password.values["description"] == "телефон"
    assert read.places("App password without a mailbox") == ["mailbox_app_password, id 2"]
    assert [entry.values for entry in read.of("totp-exception")] == [
        {"ip": "192.0.2.9", "username": "bob@example.org", "description": "home"},
        {"ip": "192.0.2.9", "description": "everybody"},
    ]


@pytest.mark.mariadb
def test_a_vacation_is_active_only_if_its_alias_points_to_it(latest):
    def actives():
        return Read("postfixadmin", url(latest)).column("vacation", "email", "active")

    assert actives() == {"bob@example.org": "0", "nobody@example.org": "0"}
    assert Read("postfixadmin", url(latest)).places("received no mail") == [
        "vacation, bob@example.org"
    ]
    latest.execute(
        "UPDATE pfa_alias SET goto = 'bob@example.org,bob#example.org@autoreply.example.net'"
        " WHERE address = 'bob@example.org'"
    )
    assert actives() == {"bob@example.org": "1", "nobody@example.org": "0"}
    vacation = Read("postfixadmin", url(latest)).values("vacation", "email")["bob@example.org"]
    assert vacation["body"] == "à bientôt"
    assert vacation["activeuntil"].startswith("2038-01-18")


def test_rows_without_values_do_not_crash(tmp_path):
    path = tmp_path / "empty.sqlite3"
    with sqlite3.connect(path) as database:
        for table, columns in KNOWN_COLUMNS.items():
            database.execute(f"CREATE TABLE {table} ({', '.join(dict.fromkeys(columns))})")
            for value in ("NULL", "''"):
                values = ", ".join(value for _column in dict.fromkeys(columns))
                database.execute(f"INSERT INTO {table} VALUES ({values})")
    read = Read("postfixadmin", f"sqlite://{path}")
    assert read.entries


# Databases of another panel


@pytest.mark.django_db(transaction=True)
def test_the_database_of_a_panel_like_this_one_is_read_with_its_transports():
    Domain.objects.create(domain="example.org")
    Transport.objects.create(pattern=".example.org", transport="smtp:[192.0.2.1]")
    source = connection.settings_dict
    if connection.vendor == "sqlite":
        address = f"sqlite://{source['NAME']}"
    else:
        address = (
            f"mysql://{source['USER']}:{quote(source['PASSWORD'], safe='')}"
            f"@{source['HOST']}:{source['PORT']}/{source['NAME']}"
        )
    read = Read("postfixadmin", address)
    assert read.column("transport", "pattern", "transport") == {".example.org": "smtp:[192.0.2.1]"}
    assert read.has_lost("another panel")
