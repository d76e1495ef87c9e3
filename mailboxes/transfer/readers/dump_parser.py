"""The statements of an SQL dump: tables are created and rows inserted into the staging."""

from collections.abc import Iterator
from typing import Any

from mailadmin.translation import compose
from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.literals import UNDECODABLE, ValueParser, describe_token
from mailboxes.transfer.readers.session_variables import MAX_SET_WORDS, SessionVariables
from mailboxes.transfer.readers.sql_lexer import SQLScanner, SQLToken
from mailboxes.transfer.readers.staging import Staging, TablePredicate

MAX_COLUMNS = 4096  # of a table in MySQL
NON_COLUMN_KEYWORDS = {
    "PRIMARY", "KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK",
    "PERIOD",
}  # fmt: skip
INSERT_MODIFIERS = {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"}
# Statements without rows: first word → allowed second words, None if any may follow.
STATEMENTS_WITHOUT_ROWS = {
    "LOCK": {"TABLES", "TABLE"},
    "UNLOCK": {"TABLES", "TABLE"},
    "START": {"TRANSACTION"},
    "BEGIN": None,
    "COMMIT": None,
    "USE": None,
    "DROP": {"TABLE", "DATABASE", "SCHEMA"},
}
IGNORED_ALTERATIONS = {
    "ADD": NON_COLUMN_KEYWORDS,
    "MODIFY": None,
    "DISABLE": {"KEYS"},
    "ENABLE": {"KEYS"},
    "AUTO_INCREMENT": None,
    "ENGINE": None,
    "COMMENT": None,
}


class DumpParser:
    """Parses the statements of a dump, one after the other."""

    def __init__(self, scanner: SQLScanner, staging: Staging, is_wanted: TablePredicate) -> None:
        self.scanner, self.staging, self.is_wanted = scanner, staging, is_wanted
        self.value_parser = ValueParser(scanner)
        self.session = SessionVariables(scanner, self.value_parser)
        self.table_columns: dict[str, list[str]] = {}  # of the tables that are wanted
        self.in_transaction = False

    def parse(self) -> None:
        while (token := self.scanner.next_token()).kind != "end":
            if token.symbol != b";":
                self.parse_statement(token)
        self.check_complete()

    def check_complete(self) -> None:
        """Refuse a dump without its end, which the programs mark with a comment."""
        first, last = self.scanner.first_comment, self.scanner.last_comment
        programs = b"-- MySQL dump", b"-- MariaDB dump"
        if self.in_transaction or (first.startswith(programs) and b"Dump completed" not in last):
            raise self.scanner.error_here(_("The dump is incomplete: its end is missing."))

    def parse_statement(self, first: SQLToken) -> None:
        match first.upper:
            case "CREATE":
                self.parse_create(first, self.next_token())
            case "INSERT":
                self.parse_insert()
            case "SET":
                self.parse_set()
            case "ALTER":
                self.parse_alter(first, self.next_token())
            case word if word in STATEMENTS_WITHOUT_ROWS:
                self.skip_statement(first)
            case _:
                raise self.syntax_error(first)

    def syntax_error(self, *tokens: SQLToken) -> SourceError:
        words = " ".join(map(describe_token, tokens))
        text = _(
            "“%(words)s” is neither a table nor rows. Dump only the tables, without"
            " triggers, views and routines: mysqldump --skip-triggers DATABASE TABLE…"
        )
        return self.scanner.error_here(text, words=words)

    # Tokens

    def next_token(self) -> SQLToken:
        """Return the next token of a statement, which has to be there."""
        token = self.scanner.next_token()
        if token.kind == "end":
            raise self.scanner.error_here(_("The file ends in the middle of a statement."))
        return token

    def expect_symbol(self, symbol: bytes) -> None:
        token = self.next_token()
        if token.symbol != symbol:
            raise self.syntax_error(token)

    def read_name(self) -> str:
        """Return a name, quoted or not."""
        token = self.next_token()
        if name := self.parse_name(token):
            return name
        raise self.syntax_error(token)

    def parse_name(self, token: SQLToken) -> str:
        """Return the name that a token is, or an empty string.

        In ANSI mode double quotes hold names.
        """
        codec = self.value_parser.codec
        if token.kind == "word":
            return token.text.decode(codec, "replace")
        if token.kind == "name":
            return token.text[1:-1].replace(b"``", b"`").decode(codec, "replace")
        if token.kind == "quoted" and self.session.has_sql_mode("ANSI_QUOTES", "ANSI"):
            return token.text.replace(b'""', b'"').decode(codec, "replace")
        return ""

    def read_table_name(self) -> str:
        """Return the name of a table, without that of its database."""
        name = self.read_name()
        while (token := self.next_token()).symbol == b".":
            name = self.read_name()
        self.scanner.push_back(token)
        return name.lower()

    def skip_to_symbol(self, *ends: bytes) -> bytes:
        """Skip to one of these symbols outside of parentheses, or to the end, and return it."""
        depth = 0
        while True:
            token = self.next_token()
            if not depth and token.symbol in (*ends, b";"):
                return token.symbol
            depth += (token.symbol == b"(") - (token.symbol == b")")

    def skip_statement(self, first: SQLToken) -> None:
        """Skip a statement without rows."""
        following, allowed = self.next_token(), STATEMENTS_WITHOUT_ROWS[first.upper]
        if allowed and following.upper not in allowed:
            raise self.syntax_error(first, following)
        if first.upper in ("START", "BEGIN", "COMMIT"):
            self.in_transaction = first.upper != "COMMIT"
        self.scanner.push_back(following)
        self.skip_to_symbol()

    # Tables

    def parse_create(self, first: SQLToken, object_type: SQLToken) -> None:
        if self.skip_database(first, object_type):
            return
        self.skip_keywords("IF", "NOT", "EXISTS")
        table = self.read_table_name()
        self.expect_symbol(b"(")
        columns = list(self.iter_column_names())
        self.check_no_select()
        if self.is_wanted(table):
            self.create_table(table, columns)

    def skip_database(self, first: SQLToken, object_type: SQLToken) -> bool:
        """Skip a statement about a database and return True; refuse one that is not of a table."""
        if object_type.upper in ("DATABASE", "SCHEMA"):
            self.skip_to_symbol()
            return True
        if object_type.upper != "TABLE":
            raise self.syntax_error(first, object_type)
        return False

    def skip_keywords(self, *words: str) -> None:
        for word in words:
            token = self.next_token()
            if token.upper != word:
                self.scanner.push_back(token)
                return

    def iter_column_names(self) -> Iterator[str]:
        """Yield the names of a table's columns; the rest of their definitions does not matter."""
        end = b","
        for _column in range(MAX_COLUMNS):
            token = self.next_token()
            if token.upper not in NON_COLUMN_KEYWORDS:
                self.scanner.push_back(token)
                yield self.read_name()
            end = self.skip_to_symbol(b",", b")")
            if end != b",":
                break
        if end != b")":
            raise self.scanner.error_here(_("The column list of a table has no end."))

    def check_no_select(self) -> None:
        """Refuse a query behind the columns."""
        while (token := self.next_token()).symbol != b";":
            if token.upper == "SELECT":
                raise self.syntax_error(token)

    def create_table(self, table: str, columns: list[str]) -> None:
        try:
            self.staging.create_table(table, columns)
        except SourceError as error:
            raise self.scanner.error_here(str(error)) from error
        self.table_columns[table] = [column.lower() for column in columns]

    def parse_alter(self, first: SQLToken, object_type: SQLToken) -> None:
        """Skip changes of keys and the like; refuse those that change columns."""
        if self.skip_database(first, object_type):
            return
        self.read_table_name()
        end = b","
        while end == b",":
            self.parse_alteration(first, object_type)
            end = self.skip_to_symbol(b",")

    def parse_alteration(self, *before: SQLToken) -> None:
        action, following = self.next_token(), self.next_token()
        ignored = IGNORED_ALTERATIONS.get(action.upper, ())
        if ignored is not None and following.upper not in ignored:
            raise self.syntax_error(*before, action, following)
        self.scanner.push_back(following)

    # Rows

    def parse_insert(self) -> None:
        token = self.next_token()
        while token.upper in INSERT_MODIFIERS:
            token = self.next_token()
        self.scanner.push_back(token)
        table, columns = self.read_table_name(), self.read_insert_columns()
        token = self.next_token()
        if token.upper not in ("VALUES", "VALUE"):
            raise self.syntax_error(token)
        self.value_parser.keeps_values = self.is_wanted(table)
        if self.value_parser.keeps_values:
            self.stage_rows(table, columns)
        else:
            count = sum(1 for _row in self.iter_rows(MAX_COLUMNS))
            skipped_tables = self.staging.skipped_tables
            skipped_tables[table] = (skipped_tables.get(table) or 0) + count

    def read_insert_columns(self) -> list[str] | None:
        """Return the columns that an INSERT names, or None."""
        token = self.next_token()
        if token.symbol != b"(":
            self.scanner.push_back(token)
            return None
        columns = [self.read_name().lower()]
        while (token := self.next_token()).symbol == b",":
            columns.append(self.read_name().lower())
        if token.symbol != b")":
            raise self.syntax_error(token)
        return columns

    def stage_rows(self, table: str, columns: list[str] | None) -> None:
        columns = columns or self.table_columns.get(table)
        if not columns:
            text = _("The columns of the table %(table)s are unknown.")
            raise self.scanner.error_here(text, table=table)
        if table not in self.table_columns:
            self.create_table(table, columns)
        self.check_insert_columns(table, columns)
        self.staging.insert_rows(table, self.iter_text_rows(table, len(columns)), columns)

    def check_insert_columns(self, table: str, columns: list[str]) -> None:
        for column in columns:
            if column not in self.table_columns[table]:
                text = _("The table %(table)s has no column %(column)s.")
                raise self.scanner.error_here(text, table=table, column=column)
        if len(set(columns)) < len(columns):
            raise self.scanner.error_here(_("Duplicate column."))

    def iter_text_rows(self, table: str, width: int) -> Iterator[list[str | None]]:
        """Yield the rows of an INSERT; note and leave out those with bytes that are not text."""
        for row in self.iter_rows(width):
            if len(row) != width:
                raise self.scanner.error_here(
                    _("%(found)s values for %(columns)s columns."),
                    found=len(row),
                    columns=width,
                )
            if UNDECODABLE in row:
                place = compose("%(table)s, %(place)s", table=table, place=self.scanner.place)
                self.staging.note_undecodable_row(place)
            else:
                yield row

    def iter_rows(self, width: int) -> Iterator[list[Any]]:
        end = b","
        while end == b",":
            self.expect_symbol(b"(")
            yield self.value_parser.parse_row(width)
            while self.scanner.enter_next_row():
                yield self.value_parser.parse_row(width)
            token = self.next_token()
            end = token.symbol
            if end not in (b",", b";"):
                raise self.syntax_error(token)

    # Variables

    def parse_set(self) -> None:
        words = list(self.iter_set_words())
        match [word.upper() for word in words[:3]]:
            case ["NAMES", charset, *_rest] | ["CHARSET", charset, *_rest]:
                self.session.set_variable("character_set_client", charset.lower())
            case ["CHARACTER", "SET", charset]:
                self.session.set_variable("character_set_client", charset.lower())
            case _:
                self.session.parse_assignments(words)

    def iter_set_words(self) -> Iterator[str]:
        for _word in range(MAX_SET_WORDS):
            token = self.next_token()
            if token.symbol == b";":
                return
            yield token.text.decode("latin-1")
        raise self.scanner.error_here(_("The file sets too many variables for a dump."))
