"""Reading a live database."""

import os
import sqlite3
import traceback

import pytest

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import open_tables
from tests.servers import free_port

ZERO = "0000-00-00 00:00:00"
TABLES = """
SET NAMES utf8mb4;
SET sql_mode = '';
CREATE TABLE users (
  id int PRIMARY KEY, email varchar(100) CHARACTER SET latin1, name varchar(100), seen datetime,
  quota bigint, ok bit(1), size decimal(10,2), raw varbinary(20)
) ENGINE=MyISAM;
INSERT INTO users VALUES
  (1, 'b\u00f6b@example.org', 'Bob \U0001f40e', '0000-00-00 00:00:00', -9000000000, 1, 1.50, 'x'),
  (2, NULL, '', '2008-02-31 12:00:00', NULL, 0, NULL, NULL);
CREATE TABLE log (data text);
INSERT INTO log VALUES ('a'), ('b');
CREATE VIEW seen AS SELECT email FROM users;
CREATE VIEW broken AS SELECT data FROM log;
ALTER TABLE log CHANGE data text text;
"""


def is_users(table):
    return table == "users"


def rows_of(url, is_wanted=is_users):
    with open_tables(url, is_wanted) as tables:
        return [tuple(row) for row in tables.query("SELECT * FROM users ORDER BY id")]


def refusal(url, is_wanted=is_users):
    """Return the error, and assert that it contains no password."""
    with pytest.raises(SourceError) as refused, open_tables(url, is_wanted):
        pass
    everything = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in everything
    return str(refused.value)


@pytest.fixture
def url(mariadb, empty_database):
    name = empty_database.rpartition("/")[2]
    result = mariadb.run(TABLES, name)
    assert result.returncode == 0, result.stderr
    return empty_database


@pytest.mark.mariadb
def test_values_are_read_as_text(url):
    assert rows_of(url) == [
        ("1", "böb@example.org", "Bob 🐎", ZERO, "-9000000000", "\x01", "1.50", "x"),
        ("2", None, "", ZERO, None, "\x00", None, None),
    ]


@pytest.mark.mariadb
def test_other_tables_are_counted_and_views_can_be_read(url):
    with open_tables(url, lambda table: table == "seen") as tables:
        assert tables.count_rows("seen") == 2
        assert tables.skipped_tables == {"users": 2, "log": 2, "broken": None}


@pytest.mark.mariadb
def test_a_row_with_binary_bytes_is_skipped_and_reported(mariadb, url):
    mariadb.execute("UPDATE users SET raw = X'FF' WHERE id = 1", url.rpartition("/")[2])
    with open_tables(url, is_users) as tables:
        assert [row["id"] for row in tables.query("SELECT id FROM users")] == ["2"]
        (note,) = tables.losses
    assert (note.count, note.places) == (1, ["users, row 1"])


@pytest.mark.mariadb
def test_all_tables_are_read_in_one_snapshot(mariadb, url):
    """Changes while reading are not visible."""
    name = url.rpartition("/")[2]
    mariadb.execute("ALTER TABLE users ENGINE=InnoDB; ALTER TABLE log ENGINE=InnoDB", name)

    def is_wanted(table):
        mariadb.execute("DELETE FROM users", name)
        return is_users(table)

    assert len(rows_of(url, is_wanted)) == 2
    assert rows_of(url) == []


@pytest.mark.mariadb
def test_a_read_only_account_is_sufficient(mariadb, url):
    name = url.rpartition("/")[2]
    mariadb.execute(
        f"CREATE USER reader IDENTIFIED BY 'hunter2'; GRANT SELECT ON `{name}`.users TO reader"
    )
    try:
        assert len(rows_of(f"mysql://reader:hunter2@127.0.0.1:{mariadb.port}/{name}")) == 2
        text = refusal(f"mysql://reader:hunter2@127.0.0.1:{mariadb.port}/mysql")
        assert "Access denied" in text
    finally:
        mariadb.execute("DROP USER reader")


@pytest.mark.mariadb
def test_a_database_that_does_not_open_is_reported_without_the_password(mariadb, url):
    name = url.rpartition("/")[2]
    at = f"127.0.0.1:{mariadb.port}"
    assert refusal(f"mysql://eve:hunter2@{at}/{name}").startswith(f"127.0.0.1/{name}: Access den")
    assert "Unknown database 'none'" in refusal(f"{url.rpartition('/')[0]}/none")
    closed = free_port()
    text = refusal(f"mysql://eve:hunter2@127.0.0.1:{closed}/{name}")
    assert text.startswith(f"127.0.0.1/{name}: Can't connect")


@pytest.mark.mariadb
def test_a_lost_server_is_reported_with_the_table(mariadb, url):
    name = url.rpartition("/")[2]

    def is_wanted(table):
        if table == "users":
            for line in mariadb.execute("SHOW PROCESSLIST"):
                number, _user, _host, database, *_rest = line.split("\t")
                if database == name:
                    mariadb.execute(f"KILL {number}")
        return is_users(table)

    text = refusal(url, is_wanted)
    assert text.startswith(f"127.0.0.1/{name}, users: ")


@pytest.mark.mariadb
def test_a_server_lost_while_reading_leaves_no_partial_copy(mariadb, url):
    name = url.rpartition("/")[2]
    mariadb.execute(
        "INSERT INTO users SELECT seq + 10, 'x', REPEAT('x', 90), NULL, 1, 1, 1, 'x'"
        " FROM seq_1_to_300000",
        name,
    )
    from mailboxes.transfer.readers import database

    def killing(table, rows, staging):
        for number, row in enumerate(rows):
            if number == 1000:
                for line in mariadb.execute("SHOW PROCESSLIST"):
                    process, _user, _host, place, *_rest = line.split("\t")
                    if place == name:
                        mariadb.execute(f"KILL {process}")
            yield [str(row[0])] + [None] * 7

    was, database.iter_text_rows = database.iter_text_rows, killing
    try:
        assert refusal(url).startswith(f"127.0.0.1/{name}, users: ")
    finally:
        database.iter_text_rows = was


@pytest.mark.mariadb
def test_the_source_is_read_only_and_takes_single_statements(mariadb, url):
    name = url.rpartition("/")[2]
    from mailboxes.transfer.readers.database import MySQLSource, parse_source_url

    database = MySQLSource(parse_source_url(url))
    try:
        for sql in ("DELETE FROM users", "CREATE TABLE x (a int)"):
            with pytest.raises(SourceError, match="READ ONLY"), database.wrap_errors():
                database.connection.query(sql)
        with pytest.raises(SourceError, match="syntax"), database.wrap_errors():
            database.connection.query("SELECT 1; DELETE FROM users")
    finally:
        database.close()
    assert mariadb.execute("SELECT COUNT(*) FROM users", name) == ["2"]


# SQLite


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "panel's.sqlite3"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE Users (id integer PRIMARY KEY, Email text, size real)")
        database.execute("INSERT INTO Users VALUES (1, 'bób@example.org', 1.5), (2, NULL, NULL)")
        database.execute("INSERT INTO Users VALUES (3, X'FF', 1)")
        database.execute("CREATE TABLE log (data text)")
    return path


def test_a_sqlite_file_is_read_unchanged(file):
    assert rows_of(f"sqlite://{file}") == [("1", "bób@example.org", "1.5"), ("2", None, None)]
    with open_tables(f"sqlite://{file}", is_users) as tables:
        assert tables.skipped_tables == {"log": 0}
        assert [note.places for note in tables.losses] == [["Users, row 3"]]


def test_a_missing_sqlite_file_is_refused_and_not_created(tmp_path):
    missing = tmp_path / "none.sqlite3"
    assert refusal(f"sqlite://{missing}") == f"{missing}: No such file."
    assert not missing.exists()
    missing.write_text("no database, but long enough to be taken for one" * 30)
    assert "not a database" in refusal(f"sqlite://{missing}")


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "mysql://",
        "mysql://root:hunter2/mail",
        "mysql://root:hunter2@/",
        "mysql://root:hun@ter2:hunter2/mail",
        "mysql://root:x/hunter2@localhost/mail",
        "mysql://root:hunter2 here:and/there",
        "sqlite:///",
    ],
)
def test_an_invalid_url_is_refused_without_showing_its_parts(url):
    assert "This is not a database URL" in refusal(url)


def test_the_error_in_a_url_is_named():
    assert "'charset'" in refusal("mysql://root:hunter2@localhost/mail?charset=latin1")
    assert "has no database name" in refusal("mysql://root:hunter2@localhost")


# Storage


def test_the_copy_is_private_and_deleted(tmp_path):
    path = tmp_path / "dump.sql"
    rows = ",".join(f"('{number}@example.org','{'x' * 1000}')" for number in range(20_000))
    path.write_text(f"CREATE TABLE users (email text, name text);INSERT INTO users VALUES {rows};")
    before = open_files()
    with open_tables(path, is_users):
        (copy,) = open_files().keys() - before.keys()
        assert open_files()[copy].endswith("(deleted)")
        assert os.stat(f"/proc/self/fd/{copy}").st_mode & 0o777 == 0o600
    assert open_files().keys() == before.keys()


def open_files():
    """Return file descriptor → path, from the kernel."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
    return {number: path for number, path in found.items() if "etilqs" in path}
