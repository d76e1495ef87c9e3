"""Dumps: what is refused, and large ones."""

import gzip
import os
import resource
import subprocess
import sys

import pytest

from mailboxes.transfer.readers import open_tables
from tests.mailboxes.transfer.dumps import USERS, everything, nothing, refusal, rows_of


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
