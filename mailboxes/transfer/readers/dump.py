"""SQL dumps as mysqldump, mariadb-dump and phpMyAdmin write them: read, and never executed."""

import gzip
import zlib
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.literals import CODECS, UNDECODABLE, ValueParser, describe_token
from mailboxes.transfer.readers.sql_lexer import SQLScanner

UTF16_MESSAGE = gettext_lazy(
    "It is written in UTF-16: make it anew with --result-file instead of >."
)
COMPRESSION_MESSAGE = gettext_lazy("It is compressed in a way that is not read here; gzip is.")
UNSUPPORTED_SIGNATURES = {
    b"\xff\xfe": UTF16_MESSAGE,
    b"\xfe\xff": UTF16_MESSAGE,
    b"BZh": COMPRESSION_MESSAGE,
    b"PK\x03\x04": COMPRESSION_MESSAGE,
    b"\xfd7zXZ": COMPRESSION_MESSAGE,
    b"(\xb5/\xfd": COMPRESSION_MESSAGE,
}
GZIP_SIGNATURE, UTF8_BOM = b"\x1f\x8b", b"\xef\xbb\xbf"
MAX_COMPRESSION_RATIO, RATIO_FREE_BYTES = 300, 2**24
MAX_SET_WORDS = 10_000  # of a SET
MAX_COLUMNS = 4096  # of a table, in MySQL
NON_COLUMN_KEYWORDS = {
    "PRIMARY", "KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "CONSTRAINT", "FOREIGN", "CHECK",
    "PERIOD",
}  # fmt: skip
INSERT_MODIFIERS = {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"}
# Statements without rows, by their first words; the second is None where any may follow.
STATEMENTS_WITHOUT_ROWS = {
    "LOCK": {"TABLES", "TABLE"},
    "UNLOCK": {"TABLES", "TABLE"},
    "START": {"TRANSACTION"},
    "BEGIN": None,
    "COMMIT": None,
    "USE": None,
    "DROP": {"TABLE", "DATABASE", "SCHEMA"},
}
SESSION_KEYWORDS = {":", ".", "SESSION", "LOCAL", "@@SESSION", "@@LOCAL"}
IGNORED_ALTERATIONS = {
    "ADD": NON_COLUMN_KEYWORDS,
    "MODIFY": None,
    "DISABLE": {"KEYS"},
    "ENABLE": {"KEYS"},
    "AUTO_INCREMENT": None,
    "ENGINE": None,
    "COMMENT": None,
}


def load_dump(path, staging, is_wanted):
    """Copy the wanted tables of a dump, plain or gzipped; UnfitSource with its line otherwise."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            DumpParser(SQLScanner(get_read_function(file), path.name), staging, is_wanted).load()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(_("The compressed file is damaged or cut off."), path.name) from error
    except OSError as error:
        raise SourceError(error.strerror or _("It cannot be read."), str(path)) from error


def get_read_function(file):
    """How the bytes of the dump are got at, whatever the file begins with."""
    start = file.read(6)
    for mark, text in UNSUPPORTED_SIGNATURES.items():
        if start.startswith(mark):
            raise SourceError(text, Path(file.name).name)
    file.seek(len(UTF8_BOM) if start.startswith(UTF8_BOM) else 0)
    return build_gzip_read(file) if start.startswith(GZIP_SIGNATURE) else file.read


def build_gzip_read(file):
    """Reads what is packed, unless it grows as no dump does."""
    packed, taken = gzip.GzipFile(fileobj=file), 0

    def read(size):
        nonlocal taken
        piece = packed.read(size)
        taken += len(piece)
        if taken > MAX_COMPRESSION_RATIO * file.tell() + RATIO_FREE_BYTES:
            text = _("Unpacked it grows as no dump does.")
            raise SourceError(text, Path(file.name).name)
        return piece

    return read


class DumpParser:
    """The statements of a dump, one after the other."""

    def __init__(self, scanner, staging, is_wanted):
        self.scanner, self.staging, self.is_wanted = scanner, staging, is_wanted
        self.values = ValueParser(scanner)
        self.variables = {"character_set_client": "utf8mb4", "sql_mode": ""}
        self.columns = {}  # of the tables that are wanted
        self.is_open = False  # a transaction that is not at its end

    def load(self):
        while (token := self.scanner.token()).kind != "end":
            if token.symbol != b";":
                self.parse_statement(token)
        self.check_complete()

    def check_complete(self):
        """A program that writes dumps says at the end that it is the end."""
        first, last = self.scanner.first_comment, self.scanner.last_comment
        programs = b"-- MySQL dump", b"-- MariaDB dump"
        if self.is_open or (first.startswith(programs) and b"Dump completed" not in last):
            raise self.scanner.refusal(_("The dump is not complete: its end is missing."))

    def parse_statement(self, first):
        match first.upper:
            case "CREATE":
                self.create(first)
            case "INSERT":
                self.insert()
            case "SET":
                self.set()
            case "ALTER":
                self.parse_alter(first)
            case word if word in STATEMENTS_WITHOUT_ROWS:
                self.skip_statement(first)
            case _:
                raise self.refusal(first)

    def refusal(self, *tokens):
        words = " ".join(map(describe_token, tokens))
        text = _(
            "“%(words)s” is neither a table nor rows. Dump the tables alone, without triggers,"
            " views and routines: mysqldump --skip-triggers DATABASE TABLE…"
        )
        return self.scanner.refusal(text, words=words)

    # Words

    def next(self):
        """The next token of a statement that is not yet at its end."""
        token = self.scanner.token()
        if token.kind == "end":
            raise self.scanner.refusal(_("The file ends in the middle of a statement."))
        return token

    def expect_symbol(self, symbol):
        token = self.next()
        if token.symbol != symbol:
            raise self.refusal(token)

    def name(self):
        """A name, quoted or not."""
        token = self.next()
        if found := self.parse_name(token):
            return found
        raise self.refusal(token)

    def parse_name(self, token):
        """The name that a token is, or nothing; in ANSI's mode quotes hold names."""
        codec = self.values.codec
        if token.kind == "word":
            return token.text.decode(codec, "replace")
        if token.kind == "name":
            return token.text[1:-1].replace(b"``", b"`").decode(codec, "replace")
        if token.kind == "quoted" and self.has_sql_mode("ANSI_QUOTES", "ANSI"):
            return token.text.replace(b'""', b'"').decode(codec, "replace")
        return ""

    def read_table_name(self):
        """The name of a table, without that of its database."""
        name = self.name()
        while (token := self.next()).symbol == b".":
            name = self.name()
        self.scanner.push(token)
        return name.lower()

    def rest(self, *ends):
        """Pass by all up to one of these symbols outside of brackets; which one it was."""
        depth = 0
        while True:
            token = self.next()
            if not depth and token.symbol in (*ends, b";"):
                return token.symbol
            depth += (token.symbol == b"(") - (token.symbol == b")")

    def skip_statement(self, first):
        """A statement that holds no rows."""
        following, known = self.next(), STATEMENTS_WITHOUT_ROWS[first.upper]
        if known and following.upper not in known:
            raise self.refusal(first, following)
        if first.upper in ("START", "BEGIN", "COMMIT"):
            self.is_open = first.upper != "COMMIT"
        self.scanner.push(following)
        self.rest()

    # Tables

    def create(self, first):
        kind = self.next()
        if kind.upper in ("DATABASE", "SCHEMA"):
            self.rest()
            return
        if kind.upper != "TABLE":
            raise self.refusal(first, kind)
        self.skip_keywords("IF", "NOT", "EXISTS")
        table = self.read_table_name()
        self.expect_symbol(b"(")
        columns = list(self.iter_column_names())
        self.check_no_select()
        if self.is_wanted(table):
            self.make(table, columns)

    def skip_keywords(self, *words):
        for word in words:
            token = self.next()
            if token.upper != word:
                self.scanner.push(token)
                return

    def iter_column_names(self):
        """The columns of a table; what else is said of it does not matter here."""
        end = b","
        for _column in range(MAX_COLUMNS):
            token = self.next()
            if token.upper not in NON_COLUMN_KEYWORDS:
                self.scanner.push(token)
                yield self.name()
            end = self.rest(b",", b")")
            if end != b",":
                break
        if end != b")":
            raise self.scanner.refusal(_("The columns of a table do not end."))

    def check_no_select(self):
        """What comes behind the columns must not be a query."""
        while (token := self.next()).symbol != b";":
            if token.upper == "SELECT":
                raise self.refusal(token)

    def make(self, table, columns):
        try:
            self.staging.create(table, columns)
        except SourceError as error:
            raise self.scanner.refusal(str(error)) from error
        self.columns[table] = [column.lower() for column in columns]

    def parse_alter(self, first):
        """Keys and the like: what changes no columns."""
        kind = self.next()
        if kind.upper in ("DATABASE", "SCHEMA"):
            self.rest()
            return
        if kind.upper != "TABLE":
            raise self.refusal(first, kind)
        self.read_table_name()
        end = b","
        while end == b",":
            self.parse_alteration(first, kind)
            end = self.rest(b",")

    def parse_alteration(self, *before):
        action, following = self.next(), self.next()
        known = IGNORED_ALTERATIONS.get(action.upper, ())
        if known is not None and following.upper not in known:
            raise self.refusal(*before, action, following)
        self.scanner.push(following)

    # Rows

    def insert(self):
        token = self.next()
        while token.upper in INSERT_MODIFIERS:
            token = self.next()
        self.scanner.push(token)
        table, columns = self.read_table_name(), self.read_insert_columns()
        token = self.next()
        if token.upper not in ("VALUES", "VALUE"):
            raise self.refusal(token)
        self.values.is_kept = self.is_wanted(table)
        if self.values.is_kept:
            self.stage(table, columns)
        else:
            count = sum(1 for _row in self.rows(MAX_COLUMNS))
            self.staging.left_out[table] = self.staging.left_out.get(table, 0) + count

    def read_insert_columns(self):
        """The columns that an INSERT names, or None."""
        token = self.next()
        if token.symbol != b"(":
            self.scanner.push(token)
            return None
        columns = [self.name().lower()]
        while (token := self.next()).symbol == b",":
            columns.append(self.name().lower())
        if token.symbol != b")":
            raise self.refusal(token)
        return columns

    def stage(self, table, columns):
        columns = columns or self.columns.get(table)
        if not columns:
            text = _("Nothing says which columns the table %(table)s has.")
            raise self.scanner.refusal(text, table=table)
        if table not in self.columns:
            self.make(table, columns)
        self.check_insert_columns(table, columns)
        self.staging.insert(table, self.iter_text_rows(table, len(columns)), columns)

    def check_insert_columns(self, table, columns):
        for column in columns:
            if column not in self.columns[table]:
                text = _("The table %(table)s has no column %(column)s.")
                raise self.scanner.refusal(text, table=table, column=column)
        if len(set(columns)) < len(columns):
            raise self.scanner.refusal(_("A column is named twice."))

    def iter_text_rows(self, table, width):
        """The rows of an INSERT; one with bytes that are no text is left out and noted."""
        for row in self.rows(width):
            if len(row) != width:
                raise self.scanner.refusal(
                    _("There are %(found)s values for %(columns)s columns."),
                    found=len(row),
                    columns=width,
                )
            if UNDECODABLE in row:
                self.staging.note_undecodable_row(f"{table}, {self.scanner.where}")
            else:
                yield row

    def rows(self, width):
        end = b","
        while end == b",":
            self.expect_symbol(b"(")
            yield self.values.row(width)
            while self.scanner.enter_next_row():
                yield self.values.row(width)
            token = self.next()
            end = token.symbol
            if end not in (b",", b";"):
                raise self.refusal(token)

    # What the dump says of itself

    def set(self):
        words = list(self.iter_set_words())
        match [word.upper() for word in words[:3]]:
            case ["NAMES", charset, *_rest] | ["CHARSET", charset, *_rest]:
                self.set_variable("character_set_client", charset.lower())
            case ["CHARACTER", "SET", charset]:
                self.set_variable("character_set_client", charset.lower())
            case _:
                self.assignments(words)

    def iter_set_words(self):
        for _word in range(MAX_SET_WORDS):
            token = self.next()
            if token.symbol == b";":
                return
            yield token.text.decode("latin-1")
        raise self.scanner.refusal(_("The file sets more than a dump ever does."))

    def assignments(self, words):
        """`a = b` counts, `a = b(c)` is none of ours."""
        part = []
        for word in [*words, ","]:
            if word != ",":
                part.append(word)
                continue
            simple = [each for each in part if each.upper() not in SESSION_KEYWORDS]
            if len(simple) == 3 and simple[1] == "=":
                self.set_variable(normalize_variable_name(simple[0]), self.resolve_value(simple[2]))
            part = []

    def resolve_value(self, word):
        return (
            self.variables.get(normalize_variable_name(word), "") if word.startswith("@") else word
        )

    def set_variable(self, name, value):
        if len(self.variables) < MAX_SET_WORDS:
            self.variables[name] = value
        if name == "character_set_client":
            self.set_charset(value.strip("`").lower())
        elif name == "sql_mode":
            self.scanner.escapes = "NO_BACKSLASH_ESCAPES" not in value.upper().split(",")

    def set_charset(self, charset):
        if charset not in CODECS:
            text = _("The dump is written in %(charset)s, which is not read: take utf8mb4.")
            raise self.scanner.refusal(text, charset=charset)
        self.values.codec = CODECS[charset]

    def has_sql_mode(self, *modes):
        return not set(modes).isdisjoint(self.variables["sql_mode"].upper().split(","))


def normalize_variable_name(word):
    """A session variable by its name, one of the user's with its @."""
    return word.lower().removeprefix("@@")
