"""Dumps: arbitrary input, and dumps by mariadb-dump."""

import itertools
import os
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import open_tables, sql_lexer
from tests.mailboxes.transfer.dumps import SAMPLES, USERS, everything, rows_of
from tests.servers import command

SAMPLE = b"".join(
    (SAMPLES / name).read_bytes() for name in ("forwardings.sql", "postfixadmin-cram.sql")
)


def read_or_refused(path):
    try:
        with open_tables(path, everything):
            pass
    except SourceError as error:
        assert str(error)


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_dumps_are_refused_and_never_crash(tmp_path, data):
    start = data.draw(st.integers(0, len(SAMPLE)))
    noise = data.draw(st.binary(max_size=8) | st.sampled_from([b"'", b"\\", b"/*!", b"(", b";"]))
    gone = data.draw(st.integers(0, 60))
    end = data.draw(st.sampled_from([len(SAMPLE), start + gone + 500]))
    path = tmp_path / "dump.sql"
    path.write_bytes(SAMPLE[:start] + noise + SAMPLE[start + gone : end])
    read_or_refused(path)


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    text=st.binary() | st.text(alphabet="(),;'\"`\\/*!-# 0x_INSERTVALUECAB\n=@.").map(str.encode)
)
def test_random_input_is_refused_and_never_crashes(tmp_path, text):
    path = tmp_path / "dump.sql"
    for start in (b"", b"CREATE TABLE t (a text);INSERT INTO t VALUES ("):
        path.write_bytes(start + text)
        read_or_refused(path)


def test_block_boundaries_do_not_change_the_rows(monkeypatch, dump):
    values = ["'" * 150, "\\" * 150, "\\'" * 100, "x" * 300, ""]
    literals = [value.replace("\\", "\\\\").replace("'", "''") for value in values]
    rows = ",\n".join(
        f"('{literal}' , NULL , -{number})" for number, literal in enumerate(literals)
    )
    blanks = " " * 63 + "\n"
    between = f"/* {'*' * 200} */ {blanks * 3}-- {'-' * 200}\n{blanks}"
    path = dump(f"{USERS}{between}INSERT INTO users VALUES\n{rows} ;")
    for block, ahead in itertools.product((1, 7, 64), range(64, 70)):
        monkeypatch.setattr(sql_lexer, "BLOCK_SIZE", block)
        monkeypatch.setattr(sql_lexer, "LOOKAHEAD_BYTES", ahead)
        assert [row[0] for row in rows_of(path, "users")] == values


# Real dumps

LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WESTERN = st.text(st.sampled_from("aäÜß€ÿ'\"\\%_`;,()\n\r\t\x1a-#/*"), max_size=30)
ROWS = st.lists(
    st.tuples(
        st.none() | LETTERS,
        st.none() | WESTERN,
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.sampled_from([None, "0000-00-00 00:00:00", "2026-11-20 12:00:00"]),
    ),
    min_size=1,
    max_size=6,
)
WAYS = [
    [],
    ["--skip-extended-insert"],
    ["--complete-insert"],
    ["--hex-blob", "--single-transaction"],
    ["--compatible=ansi", "--default-character-set=utf8mb4"],  # does not state its charset
    ["--skip-opt", "--add-drop-database", "--databases"],
    ["--default-character-set=utf8mb4", "--no-create-db", "--insert-ignore"],
]


@pytest.fixture(scope="module")
def things(mariadb):
    """A connection to a table with all kinds of columns, and the server's client."""
    import MySQLdb

    mariadb.create("things")
    mariadb.execute(
        "CREATE TABLE things (id int AUTO_INCREMENT PRIMARY KEY, t longtext, l varchar(99)"
        " CHARACTER SET latin1, n bigint, d datetime, k int AS (id + 1) VIRTUAL)",
        "things",
    )
    connection = MySQLdb.connect(
        host="127.0.0.1",
        port=mariadb.port,
        user=mariadb.user,
        password=mariadb.password,
        database="things",
        charset="utf8mb4",
        autocommit=True,
    )
    yield connection, mariadb
    connection.close()
    mariadb.execute("DROP DATABASE things")


@pytest.mark.mariadb
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(rows=ROWS, way=st.sampled_from(WAYS))
def test_a_dump_by_mariadb_dump_is_read_back_unchanged(things, tmp_path, rows, way):
    connection, client = things
    cursor = connection.cursor()
    cursor.execute("SET sql_mode = ''")
    cursor.execute("TRUNCATE things")
    cursor.executemany("INSERT INTO things (t, l, n, d) VALUES (%s, %s, %s, %s)", rows)
    path = tmp_path / "dump.sql"
    written = subprocess.run(
        [
            *(command("mariadb-dump"), "--no-defaults", f"--socket={client.socket}"),
            *(f"--user={client.user}", f"--result-file={path}", *way, "things"),
        ],
        env=os.environ | {"MYSQL_PWD": client.password},
        capture_output=True,
        text=True,
    )
    assert written.returncode == 0, written.stderr
    with open_tables(path, everything) as tables:
        found = tables.query("SELECT t, l, n, d FROM things ORDER BY CAST(id AS INTEGER)")
        assert [tuple(row) for row in found] == [
            tuple(value if value is None else str(value) for value in row) for row in rows
        ]
