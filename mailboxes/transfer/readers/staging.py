"""The tables of a source in a temporary SQLite file: read in any order, whatever their size."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from mailadmin.translation import TranslatedText, decode_text, encode_text
from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceError

MAX_NAME_LENGTH = 64  # characters, the limit of MySQL
PLACE_COLUMN = "place"  # of tables that a reader makes: where a row stands
TablePredicate = Callable[[str], bool]


class Staging:
    """Tables of a source. Names are in lower case, and texts compare without regard to case.

    A value is a text or None.
    """

    def __init__(self) -> None:
        self.skipped_tables: dict[str, int | None] = {}  # number of rows; None: not counted
        self.losses = Losses()
        self._columns: dict[str, list[str]] = {}

    def __enter__(self) -> Self:
        # Without a name SQLite uses a file that nobody else can open; it is deleted when closed.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("temp_store = FILE", "journal_mode = OFF", "cache_size = -8000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.create_function("domain_of", 1, split_domain, deterministic=True)
        self._connection.execute("BEGIN")
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    # Writing

    def create_table(self, table: str, columns: Sequence[str]) -> None:
        """Create a table; raise SourceError if it exists, or has names that no table can have."""
        table, columns = table.lower(), [column.lower() for column in columns]
        if table in self._columns:
            text = _("The table %(table)s exists twice. Dump only one database.")
            raise SourceError(text % {"table": table})
        check_names([table, *columns])
        texts = ", ".join(f"{quote_identifier(column)} TEXT COLLATE NOCASE" for column in columns)
        self._execute(f"CREATE TABLE {quote_identifier(table)} ({texts})")
        self._columns[table] = columns

    def insert_rows(
        self, table: str, rows: Iterable[Sequence[Any]], columns: Sequence[str] | None = None
    ) -> None:
        """Insert rows while they are read; they have values for `columns`, by default for all."""
        columns = columns or self._columns[table.lower()]
        names, placeholders = (
            ", ".join(map(quote_identifier, columns)),
            ", ".join("?" * len(columns)),
        )
        if PLACE_COLUMN in columns:
            rows = (encode_texts(row) for row in rows)
        sql = f"INSERT INTO {quote_identifier(table.lower())} ({names}) VALUES ({placeholders})"  # noqa: S608
        with wrap_sqlite_errors():
            self._connection.executemany(sql, rows)  # errors raised by the iterator pass through

    def create_table_from_query(
        self, table: str, columns: Sequence[str], sql: str, *parameters: Any
    ) -> None:
        """Create a table with the result of a query."""
        self.create_table(table, columns)
        self._execute(f"INSERT INTO {quote_identifier(table)} {sql}", parameters)  # noqa: S608 (our own words)

    def delete_rows(self, table: str, where: str) -> None:
        self._execute(f"DELETE FROM {quote_identifier(table)} WHERE {where}")  # noqa: S608 (our own words)

    def delete_duplicates(self, table: str, key: str) -> Iterator[str]:
        """Keep the first of the rows that share a key; yield the places of the others."""
        name, column = quote_identifier(table), quote_identifier(key)
        is_duplicate = f"rowid NOT IN (SELECT MIN(rowid) FROM {name} GROUP BY {column})"  # noqa: S608
        for row in self.query(f"SELECT place FROM {name} WHERE {is_duplicate}"):  # noqa: S608
            yield row["place"]
        self.delete_rows(table, is_duplicate)

    def create_index(self, table: str, *columns: str) -> None:
        """Create an index on those of the columns that exist."""
        existing = [column for column in columns if column in self._columns.get(table, ())]
        if existing:
            name = quote_identifier(f"{table} by {' '.join(existing)}")
            keys = ", ".join(map(quote_identifier, existing))
            self._execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON {quote_identifier(table)} ({keys})"
            )

    def keep_tables(self, names: Mapping[str, str]) -> None:
        """Rename these tables (old name → new), and drop all others."""
        for table in [table for table in self._columns if table not in names]:
            self.skipped_tables[table] = self.count_rows(table)
            self._execute(f"DROP TABLE {quote_identifier(table)}")
            del self._columns[table]
        for table in [table for table in self._columns if names[table] != table]:
            self._execute(
                f"ALTER TABLE {quote_identifier(table)} RENAME TO {quote_identifier(names[table])}"
            )
            self._columns[names[table]] = self._columns.pop(table)

    def note_undecodable_row(self, place: str) -> None:
        """Note a row that was left out, since a value of it has bytes that are not text."""
        self.losses.add(_("Row that is not valid text: skipped."), place)

    # Reading

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of each table."""
        return dict(self._columns)

    def has_table(self, table: str, *columns: str) -> bool:
        """Tell whether there is such a table, with all of these columns."""
        return table in self._columns and set(columns) <= set(self._columns[table])

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Return the result of a query; values of a row are found by the column's name."""
        cursor = self._execute(sql, parameters)
        has_place = any(column[0] == PLACE_COLUMN for column in cursor.description)
        cursor.row_factory = PlaceRow if has_place else sqlite3.Row
        return cursor

    def count_rows(self, table: str, where: str = "1") -> int:
        query = f"SELECT COUNT(*) FROM {quote_identifier(table)} WHERE {where}"  # noqa: S608
        (number,) = next(self._execute(query))
        return number

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        with wrap_sqlite_errors():
            return self._connection.execute(sql, parameters)


class PlaceRow(sqlite3.Row):
    """A row whose place is a text, which SQLite holds as data."""

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        return decode_text(value) if key == PLACE_COLUMN and value else value


def encode_texts(row: Iterable[Any]) -> list[Any]:
    """Return a row as SQLite can hold it; what it holds already is not encoded again."""
    return [encode_text(cell) if isinstance(cell, TranslatedText) else cell for cell in row]


@contextmanager
def wrap_sqlite_errors() -> Iterator[None]:
    """Raise errors of SQLite, such as a full disk, as SourceError."""
    try:
        yield
    except sqlite3.Error as error:
        text = _("The source cannot be copied to a temporary file: %(error)s.")
        raise SourceError(text % {"error": error}) from error


def check_names(names: Iterable[str]) -> None:
    for name in names:
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
            raise SourceError(
                _("“%(name)s” cannot be the name of a table or column.") % {"name": name}
            )


def quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def split_domain(address: object) -> str | None:
    """Return what follows the last @, None without one."""
    if not isinstance(address, str) or "@" not in address:
        return None
    return address.rpartition("@")[2]


# Schema


def check_schema(staging: Staging, system: str, required: Mapping[str, Iterable[str]]) -> None:
    """Raise SourceError unless these tables exist, each with these columns."""
    for table, columns in required.items():
        if not staging.has_table(table):
            text = _("This is not a valid %(system)s database: the table %(table)s is missing.")
            raise SourceError(text % {"system": system, "table": table})
        for column in columns:
            if not staging.has_table(table, column):
                text = _(
                    "This is not a valid %(system)s database: %(table)s has no column %(column)s."
                )
                raise SourceError(text % {"system": system, "table": table, "column": column})


def note_unknown_columns(
    staging: Staging, known: Mapping[str, Collection[str]], losses: Losses
) -> None:
    """Note rows lost on the way here, and tables and columns that the system does not have."""
    for note in staging.losses:
        losses.add(note.text, count=note.count - len(note.places))
        for place in note.places:
            losses.add(note.text, place)
    for table, columns in staging.tables().items():
        for column in columns:
            if table in known and column not in known[table]:
                text = _("Unknown column: skipped.")
                losses.add(text, f"{table}.{column}")
    for table, count in staging.skipped_tables.items():
        losses.add(
            _("Unknown table: skipped."),
            format_table_count(table, count),
        )


def format_table_count(table: str, count: int | None) -> str:
    if count is None:
        return table
    return _("%(table)s (rows: %(count)s)") % {"table": table, "count": count}
