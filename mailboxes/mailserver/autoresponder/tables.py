"""The responder's database connection: MySQL or SQLite, statements that commit one by one.

Tables are queried one after the other and joined here, since an adopted database may have another
collation in each, and MySQL compares such columns only with error 1267.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mailadmin.conf.table_names import build_table_name

# The least that the responder must be allowed: table → statement → columns, none meaning the row
AUTOREPLY_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "vacation": {
        "SELECT": (
            "email",
            "subject",
            "body",
            "active",
            "activefrom",
            "activeuntil",
            "interval_time",
        )
    },
    "mailbox": {"SELECT": ("username", "name", "domain", "active")},
    "domain": {"SELECT": ("domain", "active")},
    "alias": {"SELECT": ("address", "goto", "active")},
    "alias_domain": {"SELECT": ("alias_domain", "target_domain", "active")},
    "vacation_notification": {
        "SELECT": ("on_vacation", "notified", "notified_at"),
        "INSERT": ("on_vacation", "notified", "notified_at"),
        "UPDATE": ("notified_at",),
        "DELETE": (),
    },
}
LOCK_TIMEOUT_SECONDS = 20  # for a locked SQLite file


class DatabaseUnavailable(Exception):
    """The database cannot be reached, is locked, or refuses; the statement has not been run."""


class AutoreplyDatabase:
    """An open connection, and the settings that its queries depend on."""

    def __init__(self, driver: Any, connection: Any, settings: Mapping[str, Any]) -> None:
        self.driver, self.connection, self.settings = driver, connection, settings
        self.tables = {name: build_table_name(name, settings) for name in AUTOREPLY_PRIVILEGES}

    def run(self, sql: str, *values: Any, places: str = "") -> Any:
        """Run a statement in which {name} is a table and %s a value, and return its cursor."""
        sql = sql.format(**self.tables, places=places)
        if self.driver.paramstyle == "qmark":
            sql = sql.replace("%s", "?")
        with translate_database_errors(self.driver):
            cursor = self.connection.cursor()
            cursor.execute(sql, values)
            return cursor

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return list(self.run(sql, *values).fetchall())

    def fetch_in(self, sql: str, values: Iterable[str]) -> list[Any]:
        """Return rows of `… IN ({places})`; only ASCII, since others are MySQL error 1267."""
        values = [value for value in values if value.isascii()]
        places = ", ".join(["%s"] * len(values))
        return list(self.run(sql, *values, places=places).fetchall()) if values else []


@contextlib.contextmanager
def open_database(settings: Mapping[str, Any]) -> Iterator[AutoreplyDatabase]:
    """Connect to the database that the settings name."""
    entry = settings["MAILADMIN_DATABASE_URL"]
    connect = {"mysql": connect_mysql, "sqlite3": connect_sqlite}[
        entry["ENGINE"].rpartition(".")[2]
    ]
    driver, connection = connect(entry)
    with contextlib.closing(connection):
        yield AutoreplyDatabase(driver, connection, settings)


@contextlib.contextmanager
def translate_database_errors(driver: Any) -> Iterator[None]:
    try:
        yield
    except driver.IntegrityError:
        raise
    except driver.Error as error:
        raise DatabaseUnavailable(f"{type(error).__name__}: {error}") from error


def connect_sqlite(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    """Open an existing file only: an empty one would say that nobody is away."""
    import sqlite3

    uri = entry["NAME"].absolute().as_uri() + "?mode=rw"
    with translate_database_errors(sqlite3):
        return sqlite3, sqlite3.connect(
            uri, uri=True, timeout=LOCK_TIMEOUT_SECONDS, isolation_level=None
        )


def connect_mysql(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        import MySQLdb
    except ImportError as error:
        raise DatabaseUnavailable(f"the package mysqlclient: {error}") from error
    with translate_database_errors(MySQLdb):
        return MySQLdb, MySQLdb.connect(**build_mysql_options(entry))


def build_mysql_options(entry: Mapping[str, Any]) -> dict[str, Any]:
    host = "unix_socket" if entry["HOST"].startswith("/") else "host"
    place = {host: entry["HOST"], "port": entry["PORT"], "user": entry["USER"]}
    return {
        **{name: value for name, value in place.items() if value},
        "password": entry["PASSWORD"],
        "database": entry["NAME"],
        "charset": "utf8mb4",
        # An hour that summer time skips is moved, not refused.
        "init_command": "SET sql_mode=''",
        "autocommit": True,
        "multi_statements": False,
        "local_infile": 0,
        "connect_timeout": 5,
        "read_timeout": 60,
        "write_timeout": 60,
        **entry["OPTIONS"],
    }
