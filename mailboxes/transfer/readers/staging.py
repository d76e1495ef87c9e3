"""A source's tables in a SQLite file of their own: read in any order, whatever their size."""

import sqlite3
from contextlib import contextmanager

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import Losses, SourceError

MAX_NAME_LENGTH = 64  # letters, as MySQL has it


class Staging:
    """Tables and columns by their names in lower case; text compares without regard to case.

    A value is a text or None.
    """

    def __init__(self):
        self.left_out = {}  # table → number of rows, None where they were not counted
        self.losses = Losses()  # what was lost on the way here
        self._columns = {}

    def __enter__(self):
        # Without a name SQLite makes a file that nobody else can open and that is gone with us.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("temp_store = FILE", "journal_mode = OFF", "cache_size = -8000"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.create_function("domain_of", 1, split_domain, deterministic=True)
        self._connection.execute("BEGIN")
        return self

    def __exit__(self, *error):
        self._connection.close()

    # Written

    def create(self, table, columns):
        """A new table; UnfitSource if it is there, or has names that no table can have."""
        table, columns = table.lower(), [column.lower() for column in columns]
        if table in self._columns:
            text = _("The table %(table)s is there twice: copy one database alone.")
            raise SourceError(text % {"table": table})
        check_names([table, *columns])
        texts = ", ".join(f"{quote_identifier(column)} TEXT COLLATE NOCASE" for column in columns)
        self._execute(f"CREATE TABLE {quote_identifier(table)} ({texts})")
        self._columns[table] = columns

    def insert(self, table, rows, columns=None):
        """Write rows as they come; values are those of the columns, or of all of them."""
        columns = columns or self._columns[table.lower()]
        names, places = ", ".join(map(quote_identifier, columns)), ", ".join("?" * len(columns))
        sql = f"INSERT INTO {quote_identifier(table.lower())} ({names}) VALUES ({places})"  # noqa: S608
        with wrap_sqlite_errors():
            self._connection.executemany(sql, rows)  # an error of the rows' passes through

    def create_table_from_query(self, table, columns, sql, *params):
        """A new table of what a query answers."""
        self.create(table, columns)
        self._execute(f"INSERT INTO {quote_identifier(table)} {sql}", params)  # noqa: S608 (our own words)

    def delete(self, table, where):
        self._execute(f"DELETE FROM {quote_identifier(table)} WHERE {where}")  # noqa: S608 (our own words)

    def delete_duplicates(self, table, key):
        """Of the rows that share a key keep the first; the places of the others."""
        name, column = quote_identifier(table), quote_identifier(key)
        later = f"rowid NOT IN (SELECT MIN(rowid) FROM {name} GROUP BY {column})"  # noqa: S608
        for row in self.rows(f"SELECT place FROM {name} WHERE {later}"):  # noqa: S608
            yield row["place"]
        self.delete(table, later)

    def index(self, table, *columns):
        """Let rows be found by these columns, those of them that there are."""
        known = [column for column in columns if column in self._columns.get(table, ())]
        if known:
            name = quote_identifier(f"{table} by {' '.join(known)}")
            keys = ", ".join(map(quote_identifier, known))
            self._execute(
                f"CREATE INDEX IF NOT EXISTS {name} ON {quote_identifier(table)} ({keys})"
            )

    def keep(self, names):
        """Call these tables (old name → new) so from now on; all others are left out."""
        for table in [table for table in self._columns if table not in names]:
            self.left_out[table] = self.count(table)
            self._execute(f"DROP TABLE {quote_identifier(table)}")
            del self._columns[table]
        for table in [table for table in self._columns if names[table] != table]:
            self._execute(
                f"ALTER TABLE {quote_identifier(table)} RENAME TO {quote_identifier(names[table])}"
            )
            self._columns[names[table]] = self._columns.pop(table)

    def note_undecodable_row(self, place):
        """A row is not here, since a value of it is bytes that are no text."""
        self.losses.add(_("A row with bytes that are no text is left out."), place)

    # Read

    def tables(self):
        """Name → names of its columns."""
        return dict(self._columns)

    def has(self, table, *columns):
        return table in self._columns and set(columns) <= set(self._columns[table])

    def rows(self, sql, params=()):
        """What a query answers, row by row; a value is found by its column's name."""
        cursor = self._execute(sql, params)
        cursor.row_factory = sqlite3.Row
        return cursor

    def count(self, table, where="1"):
        query = f"SELECT COUNT(*) FROM {quote_identifier(table)} WHERE {where}"  # noqa: S608
        (number,) = next(self._execute(query))
        return number

    def _execute(self, sql, params=()):
        with wrap_sqlite_errors():
            return self._connection.execute(sql, params)


@contextmanager
def wrap_sqlite_errors():
    """What SQLite cannot take, a full disk too, is a source that cannot be read."""
    try:
        yield
    except sqlite3.Error as error:
        text = _("The source cannot be copied to a temporary file: %(error)s.")
        raise SourceError(text % {"error": error}) from error


def check_names(names):
    for name in names:
        if not name.isprintable() or not 0 < len(name) <= MAX_NAME_LENGTH:
            raise SourceError(_("No table and no column is called “%(name)s”.") % {"name": name})


def quote_identifier(name):
    return '"' + name.replace('"', '""') + '"'


def split_domain(address):
    """What follows the last @; an address without one has no domain."""
    if not isinstance(address, str) or "@" not in address:
        return None
    return address.rpartition("@")[2]


# Is it what it should be?


def check_schema(staging, system, wanted):
    """UnfitSource unless these tables (name → columns that it must have) are there."""
    for table, columns in wanted.items():
        if not staging.has(table):
            text = _("This is no %(system)s database: it has no table %(table)s.")
            raise SourceError(text % {"system": system, "table": table})
        for column in columns:
            if not staging.has(table, column):
                text = _("This is no %(system)s database: %(table)s has no column %(column)s.")
                raise SourceError(text % {"system": system, "table": table, "column": column})


def note_unknown_columns(staging, known, losses):
    """Tell of what was lost, and of what is not of the system (`known`: table → columns)."""
    for note in staging.losses:
        losses.add(note.text, count=note.count - len(note.places))
        for place in note.places:
            losses.add(note.text, place)
    for table, columns in staging.tables().items():
        for column in columns:
            if table in known and column not in known[table]:
                text = _("A column that the system does not know is left out.")
                losses.add(text, f"{table}.{column}")
    for table, count in staging.left_out.items():
        losses.add(
            _("A table that the system does not know is left out."),
            format_table_count(table, count),
        )


def format_table_count(table, count):
    if count is None:
        return table
    return _("%(table)s (rows: %(count)s)") % {"table": table, "count": count}
