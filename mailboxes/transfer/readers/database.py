"""Tables of a database that a URL names, copied from one consistent snapshot."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

from mailadmin.conf.urls import parse_database_url
from mailadmin.translation import compose
from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.staging import Staging, TablePredicate, quote_identifier


class SQLSource(Protocol):
    """A database whose tables can be listed, read and counted."""

    def list_tables(self) -> list[str]: ...

    def read_table(self, table: str) -> tuple[list[str], Iterator[Sequence[Any]]]: ...

    def count_rows(self, table: str) -> int | None: ...


URL_SCHEMES = ("mysql://", "mariadb://", "sqlite://")
CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 300  # without data from the server
FETCH_SIZE = 1000  # rows fetched at once
CLIENT_ERROR_CODES = range(2000, 3000)  # raised by the client: the connection is lost
SESSION_STATEMENTS = (
    "SET SESSION sql_mode = ''",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
)


def is_database_url(text: object) -> bool:
    return str(text).lower().startswith(URL_SCHEMES)


def load_database(url: str, staging: Staging, is_wanted: TablePredicate) -> None:
    """Copy the wanted tables into the staging. Nothing is written to the database."""
    settings = parse_source_url(url)
    source_class = SQLiteSource if settings["ENGINE"].endswith("sqlite3") else MySQLSource
    with contextlib.closing(source_class(settings)) as database:
        for table in database.list_tables():
            if is_wanted(table.lower()):
                copy_table(database, table, staging)
            else:
                staging.skipped_tables[table] = database.count_rows(table)


def parse_source_url(url: str) -> dict[str, Any]:
    """Return the settings of a database URL.

    The error names no part of the URL that may hold a password in a wrong place.
    """
    try:
        return parse_database_url(url)
    except ValueError as error:
        authority = url.partition("://")[2].partition("/")[0]
        reason = f": {error}" if "@" in authority else ""
    message = _("This is not a database URL (mysql://user:password@host/name)")
    raise SourceError(compose("%(message)s%(reason)s.", message=message, reason=reason))


def copy_table(database: SQLSource, table: str, staging: Staging) -> None:
    """Copy a table; a row with bytes that are not text is noted and left out."""
    columns, rows = database.read_table(table)
    staging.create_table(table, columns)
    staging.insert_rows(table, iter_text_rows(table, rows, staging), columns)


def iter_text_rows(
    table: str, rows: Iterable[Sequence[Any]], staging: Staging
) -> Iterator[list[str | None]]:
    for number, row in enumerate(rows, 1):
        try:
            yield [to_text(value) for value in row]
        except UnicodeDecodeError:
            place = _("%(table)s, row %(number)s") % {"table": table, "number": number}
            staging.note_undecodable_row(place)


def to_text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)


class MySQLSource:
    """A MySQL or MariaDB server, read in a read-only transaction."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.place = f"{settings['HOST']}/{settings['NAME']}"
        with self.wrap_errors():
            self.connection = connect_mysql(settings)
            for sql in SESSION_STATEMENTS:
                self.connection.query(sql)

    @contextlib.contextmanager
    def wrap_errors(self, table: str = "") -> Iterator[None]:
        """Raise errors of the server as SourceError, with the database and the table."""
        MySQLdb = self.import_driver()
        try:
            yield
        except MySQLdb.Error as error:
            place = f"{self.place}, {table}" if table else self.place
            raise SourceError(str(error.args[-1]), place) from error

    def import_driver(self) -> ModuleType:
        """Return the MySQLdb module, which a panel on SQLite need not have."""
        try:
            import MySQLdb
        except ModuleNotFoundError as error:
            text = _(
                "Reading from a MySQL server requires mysqlclient (pip install"
                " mysqlclient). An SQL dump of the database works without it."
            )
            raise SourceError(text, self.place) from error
        return MySQLdb

    def list_tables(self) -> list[str]:
        with self.wrap_errors():
            return [name.decode() for (name,) in self._fetch_all("SHOW TABLES")]

    def read_table(self, table: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return (columns, rows); rows are fetched while they are read."""
        from MySQLdb.cursors import SSCursor

        cursor = self.connection.cursor(SSCursor)
        with self.wrap_errors(table):
            cursor.execute(f"SELECT * FROM {quote_mysql_identifier(table)}")  # noqa: S608
        return [column[0] for column in cursor.description], self._iter_rows(cursor, table)

    def _iter_rows(self, cursor: Any, table: str) -> Iterator[Sequence[Any]]:
        with self.wrap_errors(table), contextlib.closing(cursor):
            while rows := cursor.fetchmany(FETCH_SIZE):
                yield from rows

    def count_rows(self, table: str) -> int | None:
        """Return the number of rows, None if the server cannot count them (a broken view)."""
        import MySQLdb

        with self.wrap_errors(table):
            try:
                query = f"SELECT COUNT(*) FROM {quote_mysql_identifier(table)}"  # noqa: S608
                ((number,),) = self._fetch_all(query)
            except MySQLdb.Error as error:
                if error.args[0] in CLIENT_ERROR_CODES:
                    raise
                return None
        return int(number)

    def _fetch_all(self, sql: str) -> Sequence[Sequence[Any]]:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def close(self) -> None:
        self.connection.close()


def quote_mysql_identifier(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def connect_mysql(settings: dict[str, Any]) -> Any:
    """Connect without local files, multiple statements or conversion of values."""
    try:
        import MySQLdb
    except ImportError as error:
        raise SourceError(_("mysqlclient is not installed.")) from error
    host = settings["HOST"]
    return MySQLdb.connect(
        **({"unix_socket": host} if host.startswith("/") else {"host": host or "localhost"}),
        **({"port": settings["PORT"]} if settings["PORT"] else {}),
        **settings["OPTIONS"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        database=settings["NAME"],
        charset="utf8mb4",
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        multi_statements=False,
        local_infile=0,
        use_unicode=False,
        conv={},
    )


class SQLiteSource:
    """An SQLite file, opened for reading."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.path = settings["NAME"]
        if not self.path.is_file():
            raise SourceError(_("No such file."), str(self.path))
        with self.wrap_errors():
            self.connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
            self.connection.text_factory = bytes
            self.connection.execute("PRAGMA query_only = 1")
            self.connection.execute("BEGIN")

    @contextlib.contextmanager
    def wrap_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(str(error), str(self.path)) from error

    def list_tables(self) -> list[str]:
        sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name"
        with self.wrap_errors():
            names = [name.decode() for (name,) in self.connection.execute(sql)]
        return [name for name in names if not name.startswith("sqlite_")]

    def read_table(self, table: str) -> tuple[list[str], Iterator[Sequence[Any]]]:
        """Return (columns, rows); rows are fetched while they are read."""
        with self.wrap_errors():
            cursor = self.connection.execute(f"SELECT * FROM {quote_identifier(table)}")  # noqa: S608
        return [column[0] for column in cursor.description], self._iter_rows(cursor)

    def _iter_rows(self, cursor: Any) -> Iterator[Sequence[Any]]:
        with self.wrap_errors():
            yield from cursor

    def count_rows(self, table: str) -> int:
        with self.wrap_errors():
            query = f"SELECT COUNT(*) FROM {quote_identifier(table)}"  # noqa: S608
            return self.connection.execute(query).fetchone()[0]

    def close(self) -> None:
        self.connection.close()
