"""Tables of a database that is named by its URL, copied as they are at one moment."""

import contextlib
import sqlite3

from django.utils.translation import gettext as _

from mailadmin.conf.urls import parse_database_url as settings_of
from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers.staging import quote_identifier

URL_SCHEMES = ("mysql://", "mariadb://", "sqlite://")
CONNECT_TIMEOUT_SECONDS = 10  # for a connection
READ_TIMEOUT_SECONDS = 300  # seconds without a word from the server
FETCH_SIZE = 1000  # rows fetched at once
CLIENT_ERROR_CODES = range(2000, 3000)  # errors that are not the server's word: it is away
SESSION_STATEMENTS = (
    "SET SESSION sql_mode = ''",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT",
)


def is_database_url(text):
    return str(text).lower().startswith(URL_SCHEMES)


def load_database(url, staging, is_wanted):
    """Copy the wanted tables; nothing is written there, and no error says the password."""
    settings = parse_source_url(url)
    kind = SQLiteSource if settings["ENGINE"].endswith("sqlite3") else MySQLSource
    with contextlib.closing(kind(settings)) as database:
        for table in database.tables():
            if is_wanted(table.lower()):
                copy_table(database, table, staging)
            else:
                staging.left_out[table] = database.count(table)


def parse_source_url(url):
    """The settings of a URL; what stands in a wrong place may be a password, and is not told."""
    try:
        return settings_of(url)
    except ValueError as error:
        authority = url.partition("://")[2].partition("/")[0]
        reason = f": {error}" if "@" in authority else ""
    form = _("That is no address of a database (mysql://user:password@host/name)")
    raise SourceError(f"{form}{reason}.")


def copy_table(database, table, staging):
    """Bring a table over; a row with bytes that are no text is noted and left out."""
    columns, rows = database.read(table)
    staging.create(table, columns)
    staging.insert(table, iter_text_rows(table, rows, staging), columns)


def iter_text_rows(table, rows, staging):
    for number, row in enumerate(rows, 1):
        try:
            yield [to_text(value) for value in row]
        except UnicodeDecodeError:
            place = _("%(table)s, row %(number)s") % {"table": table, "number": number}
            staging.note_undecodable_row(place)


def to_text(value):
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)


class MySQLSource:
    """A MySQL or MariaDB server, which is only ever asked."""

    def __init__(self, settings):
        self.place = f"{settings['HOST']}/{settings['NAME']}"
        with self.told():
            self.connection = connect_mysql(settings)
            for sql in SESSION_STATEMENTS:
                self.connection.query(sql)

    @contextlib.contextmanager
    def told(self, table=""):
        """What the server says, with its name and that of the table."""
        MySQLdb = self.driver()
        try:
            yield
        except MySQLdb.Error as error:
            place = f"{self.place}, {table}" if table else self.place
            raise SourceError(str(error.args[-1]), place) from error

    def driver(self):
        """A panel on SQLite was installed without it."""
        try:
            import MySQLdb
        except ModuleNotFoundError as error:
            text = _(
                "To ask a MySQL server the panel needs mysqlclient (pip install mysqlclient);"
                " a dump of the database does without."
            )
            raise SourceError(text, self.place) from error
        return MySQLdb

    def tables(self):
        with self.told():
            return [name.decode() for (name,) in self._fetch_all("SHOW TABLES")]

    def read(self, table):
        """(columns, rows): the rows come while they are read."""
        from MySQLdb.cursors import SSCursor

        cursor = self.connection.cursor(SSCursor)
        with self.told(table):
            cursor.execute(f"SELECT * FROM {quote_mysql_identifier(table)}")  # noqa: S608
        return [column[0] for column in cursor.description], self._iter_rows(cursor, table)

    def _iter_rows(self, cursor, table):
        with self.told(table), contextlib.closing(cursor):
            while rows := cursor.fetchmany(FETCH_SIZE):
                yield from rows

    def count(self, table):
        """How many rows there are; None where the server does not say, as of a broken view."""
        import MySQLdb

        with self.told(table):
            try:
                query = f"SELECT COUNT(*) FROM {quote_mysql_identifier(table)}"  # noqa: S608
                ((number,),) = self._fetch_all(query)
            except MySQLdb.Error as error:
                if error.args[0] in CLIENT_ERROR_CODES:
                    raise
                return None
        return int(number)

    def _fetch_all(self, sql):
        cursor = self.connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall()

    def close(self):
        self.connection.close()


def quote_mysql_identifier(name):
    return "`" + name.replace("`", "``") + "`"


def connect_mysql(settings):
    """A connection that takes no file from us, no second statement, and changes no value."""
    try:
        import MySQLdb
    except ImportError as error:
        raise SourceError(_("mysqlclient is not installed here.")) from error
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

    def __init__(self, settings):
        self.path = settings["NAME"]
        if not self.path.is_file():
            raise SourceError(_("There is no such file."), str(self.path))
        with self.told():
            self.connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
            self.connection.text_factory = bytes
            self.connection.execute("PRAGMA query_only = 1")
            self.connection.execute("BEGIN")

    @contextlib.contextmanager
    def told(self):
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(str(error), str(self.path)) from error

    def tables(self):
        sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name"
        with self.told():
            found = [name.decode() for (name,) in self.connection.execute(sql)]
        return [name for name in found if not name.startswith("sqlite_")]

    def read(self, table):
        """(columns, rows): the rows come while they are read."""
        with self.told():
            cursor = self.connection.execute(f"SELECT * FROM {quote_identifier(table)}")  # noqa: S608
        return [column[0] for column in cursor.description], self._iter_rows(cursor)

    def _iter_rows(self, cursor):
        with self.told():
            yield from cursor

    def count(self, table):
        with self.told():
            query = f"SELECT COUNT(*) FROM {quote_identifier(table)}"  # noqa: S608
            return self.connection.execute(query).fetchone()[0]

    def close(self):
        self.connection.close()
