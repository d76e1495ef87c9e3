"""Every version of PostfixAdmin as a source of imports."""

import os
import sqlite3
import subprocess
from urllib.parse import quote

import pytest
from django.db import connection

from domains.models import Domain, Transport
from mailadmin import passwords
from mailboxes.transfer.readers.postfixadmin import KNOWN_COLUMNS
from tests.base import PASSWORD
from tests.legacy_databases import SHAPES, Database
from tests.mailboxes.transfer.reading import Read
from tests.servers import command

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
