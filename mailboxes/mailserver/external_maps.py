"""Lookups in the maps of an operator's own Postfix.

An SQL map is queried with its own account: one SELECT, read only, two seconds at most, and not at
all with an account that may write. Other maps are queried by `postmap -q`; a map that cannot be
queried is an error of the lookup.
"""

import os
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser.lines import ConfigProblem
from mailboxes.mailserver.config_parser.maps import PATTERN_TYPES, MapReference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.programs import find_program
from mailboxes.postfix.addresses import split_address
from mailboxes.postfix.routing import Lookup, LookupTable

QUERY_TIMEOUT_SECONDS = 2
CONNECT_TIMEOUT_SECONDS = 10  # for a connection and for postmap
# As a key it makes postmap read keys from standard input, and print them with their values.
POSTMAP_STDIN_KEY = "-"
GRANT_RE = re.compile(r"GRANT (.+?) ON .+ TO ", re.IGNORECASE)
READ_PRIVILEGES = {"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES"}
PLACEHOLDER_RE = re.compile(r"%([%sSuUdD1-9])")

Rows = Iterable[Sequence[Any]]


class MapUnavailable(Exception):
    """A map cannot be queried; the text says why."""


def format_config_problem(problem: ConfigProblem) -> str:
    return f"{problem.line}: {problem.reason or problem.code}"


class UnsupportedMap(LookupTable):
    """A table that is never queried."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__()
        self.name = self.title = name
        self.reason = reason

    def fetch(self, key: str) -> Lookup:
        return Lookup(self, key, error=f"{self.name}: {self.reason}")


class ExternalMap(LookupTable):
    """A map of main.cf; its lookups fail with an error that names it."""

    def __init__(self, postfix: PostfixFiles, reference: MapReference) -> None:
        super().__init__()
        self.postfix, self.reference = postfix, reference
        self.name = self.title = reference.text
        self.is_pattern = reference.type in PATTERN_TYPES

    def fetch(self, key: str) -> Lookup:
        try:
            return Lookup(self, key, self.fetch_value(key))
        except MapUnavailable as error:
            text = _("%(map)s cannot be queried: %(reason)s")
            return Lookup(self, key, error=text % {"map": self.name, "reason": error})

    def fetch_value(self, key: str) -> str | None:
        raise NotImplementedError


class PostmapMap(ExternalMap):
    def fetch_value(self, key: str) -> str | None:
        """Return what `postmap -q` prints; it writes errors to stderr."""
        program = find_program("postmap")
        if not program:
            raise MapUnavailable(_("postmap is not installed"))
        result = self._run_postmap(program, key, self.postfix.postmap_name(self.reference))
        if result.returncode not in (0, 1) or result.stderr.strip():
            raise MapUnavailable(result.stderr.strip() or _("postmap failed"))
        if result.returncode:
            return None
        value = result.stdout.rstrip("\n")
        return value.partition("\t")[2] if key == POSTMAP_STDIN_KEY else value

    def _run_postmap(self, program: str, key: str, place: str) -> subprocess.CompletedProcess[str]:
        """Use a configuration of our own: a foreign one also names libraries to load."""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "main.cf").write_text("myhostname = localhost\n")
            os.utime(Path(folder, "main.cf"), (0, 0))  # a new file makes Postfix wait
            command = [program, "-c", folder, "-q", key, place]
            try:
                return subprocess.run(  # noqa: S603 (no shell)
                    command,
                    input=f"{POSTMAP_STDIN_KEY}\n",
                    capture_output=True,
                    text=True,
                    timeout=CONNECT_TIMEOUT_SECONDS,
                )
            except subprocess.TimeoutExpired as error:
                raise MapUnavailable(_("postmap does not answer")) from error


class ExternalSQLMap(ExternalMap):
    """A query whose placeholders are replaced as Postfix does."""

    def __init__(self, postfix: PostfixFiles, reference: MapReference) -> None:
        super().__init__(postfix, reference)
        self.map_config = postfix.sql_map(reference)
        self.sql = self.map_config.query
        self.connection: Any = None

    def fetch_value(self, key: str) -> str | None:
        if self.map_config.problems:
            raise MapUnavailable(format_config_problem(self.map_config.problems[0]))
        query = self.sql.strip().rstrip(";").strip()
        if not query.lower().startswith("select"):
            raise MapUnavailable(_("it does not run a SELECT"))
        if not self.accepts_key(key):
            return None
        self.connection = self.connection or self.connect()
        sql = expand_placeholders(query, key, self.escape)
        return None if sql is None else self.format_result(self.fetch_rows(sql), key)

    def accepts_key(self, key: str) -> bool:
        """Return False if the map's `domain` excludes the key: all but addresses there."""
        local_part, domain = split_address(key)
        domains = [name.lower() for name in self.map_config.domains]
        return not domains or bool(local_part and domain.lower() in domains)

    def format_result(self, rows: Rows, key: str) -> str | None:
        result_format = self.map_config.value("result_format")
        values = [str(value) for row in rows for value in row if value not in (None, "")]
        results = [expand_placeholders(result_format, value, str, key=key) for value in values]
        return ",".join(result for result in results if result) or None

    def connect(self) -> Any:
        raise NotImplementedError

    def escape(self, text: str) -> str:
        raise NotImplementedError

    def fetch_rows(self, sql: str) -> Rows:
        raise NotImplementedError


def expand_placeholders(
    text: str, value: str, escape: Callable[[str], str], key: str | None = None
) -> str | None:
    """Return a query or result as Postfix expands it; None if it skips the query."""
    key = value if key is None else key
    parts = {"s": value, "u": get_local_part(value), "d": get_domain(value)}
    parts |= {"S": key, "U": get_local_part(key), "D": get_domain(key), "%": "%"}
    labels = get_domain(key).split(".")[::-1]
    parts |= {str(n): label for n, label in enumerate(labels[:9], 1)}
    if not all(parts.get(name) for name in PLACEHOLDER_RE.findall(text)):
        return None
    return PLACEHOLDER_RE.sub(
        lambda match: "%" if match[1] == "%" else escape(parts[match[1]]), text
    )


def get_local_part(value: str) -> str:
    return value.rpartition("@")[0] if "@" in value else value


def get_domain(value: str) -> str:
    return value.rpartition("@")[2] if "@" in value else ""


class ExternalMySQLMap(ExternalSQLMap):
    def connect(self) -> Any:
        """Connect to the first host that answers, by an account that can only read."""
        try:
            import MySQLdb
        except ImportError as error:
            raise MapUnavailable(_("mysqlclient is not installed")) from error
        if self.map_config.value("option_file"):
            raise MapUnavailable(_("its account is in an option_file"))
        errors = []
        for host in self.map_config.hosts:
            try:
                connection = MySQLdb.connect(**get_host_options(host), **self.connection_options())
                refuse_write_privileges(connection, self.map_config.value("user"))
                limit_session(connection)
                return connection
            except (MySQLdb.Error, ValueError) as error:
                errors.append(f"{host}: {error.args[-1]}")
        raise MapUnavailable("; ".join(errors) or _("it names no host"))

    def connection_options(self) -> dict[str, Any]:
        return {
            "user": self.map_config.value("user"),
            "password": self.map_config.value("password"),
            "database": self.map_config.value("dbname"),
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": CONNECT_TIMEOUT_SECONDS,
            "charset": self.map_config.value("charset") or "utf8mb4",
            "multi_statements": False,
            "local_infile": 0,
        }

    def escape(self, text: str) -> str:
        return self.connection.escape_string(text.encode()).decode()

    def fetch_rows(self, sql: str) -> Rows:
        import MySQLdb

        try:
            cursor = self.connection.cursor()
            cursor.execute("START TRANSACTION READ ONLY")
            cursor.execute(sql.encode())
            return cursor.fetchall()
        except MySQLdb.Error as error:
            raise MapUnavailable(str(error.args[-1])) from error
        finally:
            self._end_transaction()

    def _end_transaction(self) -> None:
        """Release the metadata lock on the table; drop a connection that was lost."""
        import MySQLdb

        try:
            self.connection.rollback()
        except MySQLdb.Error:
            self.connection = None


def get_host_options(host: str) -> dict[str, Any]:
    """Return how to connect to an entry of `hosts`: `inet:host:port` or `unix:path`."""
    host = host.removeprefix("inet:")
    if host.startswith("unix:"):
        return {"unix_socket": host.removeprefix("unix:")}
    name, _colon, port = host.partition(":")
    return {"host": name, **({"port": int(port)} if port else {})}


def refuse_write_privileges(connection: Any, user: str) -> None:
    """Raise MapUnavailable for an account that may write, which Postfix does not need."""
    cursor = connection.cursor()
    cursor.execute("SHOW GRANTS FOR CURRENT_USER")
    for (line,) in cursor.fetchall():
        match = GRANT_RE.match(line)
        privileges = re.sub(r"\([^)]*\)", "", match[1]).split(",") if match else [_("a role")]
        if excess := {name.strip().upper() for name in privileges} - READ_PRIVILEGES:
            connection.close()
            text = _("its account %(user)s has more than read access (%(more)s)")
            raise MapUnavailable(text % {"user": user, "more": ", ".join(sorted(excess))})


def limit_session(connection: Any) -> None:
    """Make the session read only and limit its time; MariaDB and MySQL name that differently."""
    cursor = connection.cursor()
    cursor.execute("SELECT VERSION()")
    limit = (
        f"max_statement_time = {QUERY_TIMEOUT_SECONDS}"
        if "mariadb" in cursor.fetchone()[0].lower()
        else f"max_execution_time = {QUERY_TIMEOUT_SECONDS * 1000}"
    )
    cursor.execute(f"SET SESSION {limit}")
    cursor.execute("SET SESSION TRANSACTION READ ONLY")


class ExternalSQLiteMap(ExternalSQLMap):
    def connect(self) -> sqlite3.Connection:
        path = Path(self.map_config.value("dbpath"))
        if not path.is_file():
            raise MapUnavailable(_("the file %(path)s does not exist") % {"path": path})
        try:
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            connection.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            raise MapUnavailable(str(error)) from error
        return connection

    def escape(self, text: str) -> str:
        return text.replace("'", "''")

    def fetch_rows(self, sql: str) -> Rows:
        deadline = time.monotonic() + QUERY_TIMEOUT_SECONDS
        self.connection.set_progress_handler(lambda: time.monotonic() > deadline, 1000)
        try:
            return self.connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise MapUnavailable(str(error)) from error
