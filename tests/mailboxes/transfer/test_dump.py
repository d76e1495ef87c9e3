"""Reading SQL dumps of mysqldump, mariadb-dump and phpMyAdmin; nothing is executed."""

import gzip
import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import open_tables, sql_lexer
from tests.servers import command

SAMPLES = Path(__file__).parent / "samples"


def everything(table):
    return True


def nothing(table):
    return False


@pytest.fixture
def dump(tmp_path):
    """Write a dump and return its path."""

    def write(text, name="dump.sql"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def rows_of(path, table, is_wanted=everything):
    with open_tables(path, is_wanted) as tables:
        return [tuple(row) for row in tables.query(f"SELECT * FROM {table} ORDER BY rowid")]


def refusal(path, is_wanted=everything):
    with pytest.raises(SourceError) as refused, open_tables(path, is_wanted):
        pass
    return str(refused.value)


USERS = "CREATE TABLE users (email varchar(255), password text, quota int);\n"

# Parsing


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r"'it\'s'", "it's"),
        ("'it''s'", "it's"),
        (r"'a\\b'", r"a\b"),
        (r"'a\nb\rc\td'", "a\nb\rc\td"),
        (r"'\0\Z\b'", "\0\x1a\b"),
        (r"'50\% of a\_b'", r"50\% of a\_b"),
        (r"'\q'", "q"),
        (r"'\\'", "\\"),
        ("''", ""),
        ("''''", "'"),
        ('"it\'s ""so"""', 'it\'s "so"'),
        ("'“ü” 🐎'", "“ü” 🐎"),
        ("NULL", None),
        ("null", None),
        ("TRUE", "1"),
        ("-12", "-12"),
        ("+12", "12"),
        ("1.50", "1.50"),
        (".5", ".5"),
        ("1.5e-3", "1.5e-3"),
        ("0x4142", "AB"),
        ("x'4142'", "AB"),
        ("X''", ""),
        ("b'101'", "5"),
        ("0b11", "3"),
        ("_binary 'AB'", "AB"),
        ("_utf8mb4'ü'", "ü"),
        ("_latin1 X'FC'", "ü"),
        ("N'ü'", "ü"),
        ("'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
        ("'a; b -- c /* d */ # e'", "a; b -- c /* d */ # e"),
        ("/* said */ 'a' -- so\n", "a"),
    ],
)
def test_a_value_is_parsed_like_the_server(dump, literal, value):
    path = dump(f"CREATE TABLE t (a text, b text);\nINSERT INTO t VALUES ({literal},'end');\n")
    assert rows_of(path, "t") == [(value, "end")]


def test_rows_keep_their_order_and_columns(dump):
    path = dump(
        USERS + "INSERT INTO users VALUES ('a@example.org','x',1),('b@example.org',NULL,2);"
        "INSERT INTO `mail`.`users` (`quota`, `email`) VALUES (3, 'c@example.org');"
    )
    assert rows_of(path, "users") == [
        ("a@example.org", "x", "1"),
        ("b@example.org", None, "2"),
        ("c@example.org", None, "3"),
    ]


def test_names_are_the_same_in_any_case(dump):
    path = dump("CREATE TABLE `Users` (`Email` text);INSERT INTO USERS VALUES ('Bob@Example.org');")
    with open_tables(path, lambda table: table == "users") as tables:
        assert tables.tables() == {"users": ["email"]}
        assert tables.count_rows("users", "email = 'bob@example.ORG'") == 1


def test_only_column_names_of_a_table_are_used(dump):
    path = dump(
        "CREATE TABLE IF NOT EXISTS `t` (`a b` enum('x,y',')') NOT NULL DEFAULT 'x,y' COMMENT ';',"
        " b decimal(10,2) DEFAULT '0.00', PRIMARY KEY (`a b`), KEY `b` (b),"
        " CONSTRAINT `f` FOREIGN KEY (`b`) REFERENCES `u` (`b`), CHECK (b > 0)"
        ") TYPE=MyISAM COMMENT='; SELECT' /*!50100 PARTITION BY KEY (b) */;"
        "INSERT INTO t VALUES (')',1);"
    )
    with open_tables(path, everything) as tables:
        assert tables.tables() == {"t": ["a b", "b"]}


def test_inserts_without_create_table_are_read_if_they_name_columns(dump):
    path = dump("INSERT INTO `users` (`email`) VALUES ('a@example.org');\n")
    assert rows_of(path, "users") == [("a@example.org",)]
    path = dump("\n\nINSERT INTO `users` VALUES ('a@example.org');\n")
    assert refusal(path).startswith("dump.sql, line 3: The columns of the table users are unknown")


def test_unwanted_tables_are_counted_and_may_contain_any_bytes(dump):
    path = dump(
        USERS.encode()
        + b"CREATE TABLE log (a text);INSERT INTO log VALUES ('\xff'),('b');\n"
        + b"INSERT INTO log VALUES (_binary '\xfe\\'');INSERT INTO users VALUES ('a','b',1);"
    )
    with open_tables(path, lambda table: table == "users") as tables:
        assert tables.skipped_tables == {"log": 3}
        assert tables.tables().keys() == {"users"}


@pytest.mark.parametrize(
    ("setting", "raw", "text"),
    [
        (b"", "ü".encode(), "ü"),
        (b"SET NAMES utf8;", "ü".encode(), "ü"),
        (b"/*!40101 SET NAMES latin1 */;", b"\xfc\x80", "ü€"),
        (b"/*!40101 SET character_set_client = latin1 */;", b"\xfc", "ü"),
        (b"SET @@SESSION.character_set_client=`cp1251`;", "Боб".encode("cp1251"), "Боб"),
        (b"SET CHARACTER SET koi8r;", "Боб".encode("koi8-r"), "Боб"),
        (b"SET NAMES latin1;SET @a = @@character_set_client;SET NAMES utf8;"
         b"SET sql_notes=0, character_set_client = @a;", b"\xfc", "ü"),
    ],
)  # fmt: skip
def test_a_dump_is_decoded_with_its_own_charset(dump, setting, raw, text):
    path = dump(setting + b"CREATE TABLE t (a text);INSERT INTO t VALUES ('" + raw + b"');")
    assert rows_of(path, "t") == [(text,)]


def test_backslashes_are_literal_with_no_backslash_escapes(dump):
    path = dump(
        "SET sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES';"
        r"""CREATE TABLE "t" ("a" text);INSERT INTO "t" VALUES ('C:\'),('it''s');"""
    )
    assert rows_of(path, "t") == [("C:\\",), ("it's",)]


def test_gzip_and_a_byte_order_mark_are_accepted(dump):
    text = (USERS + "INSERT INTO users VALUES ('a','b',1);").encode()
    expected = [("a", "b", "1")]
    assert rows_of(dump(gzip.compress(text), "dump.sql.gz"), "users") == expected
    assert rows_of(dump(b"\xef\xbb\xbf" + text), "users") == expected


def test_a_decompression_bomb_is_refused(dump):
    packed = gzip.compress(b" " * 2**26)
    assert "too large for a dump" in refusal(dump(packed, "dump.sql.gz"))


def test_statements_around_a_dump_are_ignored(dump):
    path = dump(
        "/*M!999999\\- enable the sandbox mode */ \n-- phpMyAdmin SQL Dump\n# so\n"
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mail` /*!40100 DEFAULT CHARACTER SET utf8 */;\n"
        "USE `mail`;START TRANSACTION;\nSET time_zone = '+00:00';\n"
        "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '';\n"
        "DROP TABLE IF EXISTS `users`;" + USERS + "LOCK TABLES `users` WRITE;\n"
        "/*!40000 ALTER TABLE `users` DISABLE KEYS */;\n"
        "INSERT IGNORE INTO users VALUES ('a','b',1);\nUNLOCK TABLES;\n"
        "ALTER TABLE `users`\n  ADD PRIMARY KEY (`email`),\n  ADD KEY `q` (`quota`);\n"
        "ALTER TABLE `users` MODIFY `quota` int(11) NOT NULL, AUTO_INCREMENT=12;\nCOMMIT;\n"
    )
    assert rows_of(path, "users") == [("a", "b", "1")]


# Refusals


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT ALL ON *.* TO eve",
        "DELETE FROM users",
        "UPDATE users SET password = ''",
        "REPLACE INTO users VALUES ('a','b',1)",
        "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET @a = 1",
        "CREATE DEFINER=`root`@`localhost` PROCEDURE p() SELECT 1",
        "/*!50001 CREATE VIEW `v` AS SELECT 1 AS `a` */",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "CREATE TABLE u SELECT * FROM users",
        "CREATE TABLE u (a int) SELECT * FROM users",
        "CREATE TEMPORARY TABLE u (a int)",
        "DELIMITER ;;",
        "SELECT 1",
        "LOAD DATA INFILE '/etc/passwd' INTO TABLE users",
        "INSERT INTO users SELECT * FROM users",
        "INSERT INTO users SET email = 'a'",
        "INSERT INTO users VALUES ('a',ENCRYPT('b'),1)",
        "INSERT INTO users VALUES ('a',NOW(),1)",
        "INSERT INTO users VALUES ('a',@password,1)",
        "INSERT INTO users VALUES ('a','b','c' 'd')",
        "INSERT INTO users VALUES ('a','b',1+1)",
        "INSERT INTO users VALUES ('a','b',DEFAULT)",
        "INSERT INTO users VALUES ('a','b',1) ON DUPLICATE KEY UPDATE quota = 1",
        "ALTER TABLE users ADD COLUMN x int",
        "ALTER TABLE users DROP COLUMN quota",
        "ALTER TABLE users RENAME TO others",
        "DROP USER root",
        "SHUTDOWN",
        "\\! rm -rf /",
    ],
)
def test_other_statements_are_refused_with_their_line(dump, statement):
    path = dump(f"{USERS}\nINSERT INTO users VALUES ('x','y',1);\n{statement};\n")
    assert refusal(path).startswith("dump.sql, line 4: “")


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ("('a','b')", "2 values for 3 columns"),
        ("('a','b',1,2)", "There are more values than columns"),
        ("('a','b',1),('a')", "1 values for 3 columns"),
        ("()", "“)” is not a literal value"),
    ],
)
def test_a_row_of_another_width_is_refused(dump, rows, text):
    assert text in refusal(dump(f"{USERS}INSERT INTO users VALUES {rows};"))


def test_unknown_columns_are_refused(dump):
    text = refusal(dump(USERS + "INSERT INTO users (email, pasword) VALUES ('a','b');"))
    assert text == "dump.sql, line 2: The table users has no column pasword."
    text = refusal(dump(USERS + "INSERT INTO users (email, email) VALUES ('a','b');"))
    assert "Duplicate column" in text


def test_bytes_invalid_in_the_charset_are_refused_with_their_line(dump):
    path = dump(USERS.encode() + b"INSERT INTO users VALUES\n('a','b',1),\n('\xfc','b',1);")
    assert refusal(path).startswith("dump.sql, line 4: The text is not valid utf-8")
    path = dump("SET NAMES gbk;\n" + USERS)
    assert refusal(path) == (
        "dump.sql, line 1: The character set gbk of the dump is not supported. Use utf8mb4."
    )


def test_a_row_with_binary_bytes_is_skipped_and_reported(dump):
    path = dump(
        USERS.encode()
        + b"INSERT INTO users VALUES ('a',_binary '\xff',1),('b',0xFF,1),('c',_binary 'c',1);"
    )
    with open_tables(path, everything) as tables:
        assert [row["email"] for row in tables.query("SELECT email FROM users")] == ["c"]
        (note,) = tables.losses
    assert (note.count, note.places) == (2, ["users, dump.sql, line 2"] * 2)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (USERS + "INSERT INTO users VALUES ('a','b',1)", "in the middle of a statement"),
        (USERS + "INSERT INTO users VALUES ('a','b", "within a string"),
        (USERS + "INSERT INTO users VALUES ('a','b\\'", "within a string"),
        (USERS + "INSERT INTO users", "in the middle of a statement"),
        ("CREATE TABLE users (email text", "in the middle of a statement"),
        (USERS + "/* said", "within a comment"),
        ("START TRANSACTION;" + USERS, "its end is missing"),
        ("-- MySQL dump 10.13\n" + USERS + "-- Host", "its end is missing"),
        ("-- MariaDB dump 10.19\n" + USERS, "its end is missing"),
    ],
)
def test_a_truncated_dump_is_refused(dump, text, error):
    assert error in refusal(dump(text))


def test_a_damaged_or_foreign_file_is_refused_with_a_reason(dump, tmp_path):
    whole = gzip.compress((USERS * 1).encode() + os.urandom(2000).hex().encode())
    assert "damaged or truncated" in refusal(dump(whole[:-900]))
    assert "damaged or truncated" in refusal(dump(whole[:50] + b"xxxx" + whole[54:]))
    assert "UTF-16" in refusal(dump(USERS.encode("utf-16")))
    assert "Use gzip" in refusal(dump(b"PK\x03\x04" + b"x" * 100))
    assert "No such file" in refusal(tmp_path / "none.sql")
    assert "directory" in refusal(tmp_path)
    assert refusal(dump(b"\x7fELF\0\0\0")).startswith("dump.sql, line 1: ")


def test_a_duplicate_table_is_refused(dump):
    assert refusal(dump(USERS * 2)) == (
        "dump.sql, line 2: The table users exists twice. Dump only one database."
    )


def test_no_error_shows_a_value(dump):
    text = refusal(dump(USERS + "INSERT INTO users VALUES ('a' 'hunter2',1);"))
    assert "hunter2" not in text


# Size


def test_a_value_of_a_hundred_megabytes_is_refused(dump, tmp_path):
    path = tmp_path / "dump.sql"
    with path.open("wb") as file:
        file.write(USERS.encode() + b"INSERT INTO users VALUES ('")
        for _block in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"','b',1);")
    assert refusal(path).startswith("dump.sql, line 2: This value is too long")
    assert refusal(path, nothing).startswith("dump.sql, line 2: This value is too long")


READ = """
import django, resource, sys
django.setup()
from mailboxes.transfer.readers import open_tables
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_tables(sys.argv[1], lambda table: True) as tables:
    assert tables.count_rows("users") == int(sys.argv[2])
    assert sum(1 for row in tables.query("SELECT * FROM users ORDER BY quota")) == int(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_one_statement_with_300_000_rows_needs_little_memory(tmp_path):
    path, number = tmp_path / "dump.sql", 300_000
    with path.open("w") as file:
        file.write(USERS + "INSERT INTO users VALUES ")
        for row in range(number):
            file.write(f"{',' if row else ''}('{row}@example.org','it\\'s {'x' * 200}',{row})")
        file.write(";\n")
    assert path.stat().st_size > 60_000_000
    grown = subprocess.run(
        [sys.executable, "-c", READ, path, str(number)], capture_output=True, text=True, check=True
    )
    assert int(grown.stdout) < 40_000  # kB


def test_very_many_escapes_need_little_memory(dump):
    path = dump(USERS + "INSERT INTO users VALUES ('" + "\\'''" * 250_000 + "','b',1);")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(rows_of(path, "users")[0][0]) == 500_000
    path = dump(USERS + "INSERT INTO users VALUES ('" + "\\'''" * 800_000 + "','b',1);")
    with open_tables(path, nothing) as tables:
        assert tables.skipped_tables == {"users": 1}
    assert refusal(path).startswith("dump.sql, line 2: This value is too long")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


# Arbitrary input

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
