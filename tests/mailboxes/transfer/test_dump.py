"""Reading SQL dumps of mysqldump, mariadb-dump and phpMyAdmin; nothing is executed."""

import gzip

import pytest

from mailboxes.transfer.readers import open_tables
from tests.mailboxes.transfer.dumps import USERS, everything, refusal, rows_of


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
