"""Connections that move to another host when theirs is down or cut off from its cluster."""

import contextlib
import logging
import time
from collections.abc import Iterable
from typing import Any

import MySQLdb as Database
from django.db import OperationalError
from django.db.backends.mysql import base

from mailadmin.conf.urls import parse_mysql_hosts
from mailadmin.db.mysql.errors import (
    CONNECTION_LOST_CODES,
    NOT_COMMITTED_CODES,
    REFUSED_CODES,
    CommitOutcomeUnknown,
    get_error_code,
    is_connection_lost,
)

logger = logging.getLogger("mailadmin.mysql")

HOST_AVOIDANCE_SECONDS = 30
MAX_STATEMENT_ATTEMPTS = 3
# 1213 and 1020: two nodes changed a row, and this one was later.
ROLLED_BACK_CODES = REFUSED_CODES | {1213, 1020}
HOST_FAILURE_TIMES: dict[str, float] = {}  # host → when a connection to it failed last

# A node that is cut off still answers queries that read no table. This one waits until the node has
# all that the others committed before, and fails where there are no others. So users see what they
# have just changed through another node.
WAIT_FOR_SYNC_SQL = "SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1"


class RetryingCursor(base.CursorWrapper):
    """Run a statement again, or on another host, where nothing can have been lost by it."""

    def __init__(self, cursor: Any, wrapper: "DatabaseWrapper") -> None:
        super().__init__(cursor)
        self.wrapper = wrapper

    def close(self) -> None:
        """Close without reading the rest of a result where the connection is gone.

        Django closes a cursor whose statement failed; an error of the driver at that moment is not
        translated and would hide the first one.
        """
        with contextlib.suppress(Database.Error):
            self.cursor.close()

    def execute(self, query: str, args: Any = None) -> Any:
        for attempts_left in reversed(range(MAX_STATEMENT_ATTEMPTS)):
            try:
                return super().execute(query, args)
            except Database.OperationalError as error:
                if not (attempts_left and self.wrapper.can_retry(error, query)):
                    raise
                if get_error_code(error) in CONNECTION_LOST_CODES:
                    self.cursor = self.wrapper.reconnect_cursor()
        return None


class DatabaseWrapper(base.DatabaseWrapper):
    is_cluster_node = False
    connection_count = 0

    # Hosts

    def get_connection_params(self) -> dict[str, Any]:
        """Replace the list of hosts by a tuple: the driver is given one at a time."""
        params = super().get_connection_params()
        host = params.pop("host", "")
        params["hosts"] = tuple(host.split(",")) if "," in host else (host,)
        return params

    def get_new_connection(self, params: dict[str, Any]) -> Any:
        *hosts, last = order_hosts(params.pop("hosts"))
        for host in hosts:
            try:
                return self._connect(host, params, require_writable=True)
            except Database.OperationalError as error:
                HOST_FAILURE_TIMES[host] = time.monotonic()
                logger.warning("skipping the database host %s: %s", host, error)
        return self._connect(last, params, require_writable=bool(hosts))

    def _connect(self, host: str, params: dict[str, Any], require_writable: bool) -> Any:
        """Connect to a host; refuse one that is cut off from its cluster, or not writable."""
        connection = super().get_new_connection(host_params(host) | params)
        try:
            if params.get("ssl_mode") == "REQUIRED":
                check_encrypted(connection)
            self.is_cluster_node = is_galera_node(connection)
            if self.is_cluster_node:
                disable_dirty_reads(connection)
                wait_for_sync(connection)
            if require_writable:
                check_writable(connection)
        except Database.Error:
            connection.close()
            raise
        HOST_FAILURE_TIMES.pop(host, None)
        self.connection_count += 1
        return connection

    def is_usable(self) -> bool:
        """Check the connection when a request begins; a node without its cluster answers a ping."""
        if not self.is_cluster_node:
            return super().is_usable()
        try:
            wait_for_sync(self.connection)
        except Database.Error:
            return False
        return True

    # Statements

    def create_cursor(self, name: Any = None) -> RetryingCursor:
        return RetryingCursor(self.connection.cursor(), self)

    def can_retry(self, error: Exception, query: str) -> bool:
        """Return whether a statement outside of a transaction did nothing, or only reads."""
        if self.in_atomic_block or not self.autocommit:
            return False
        code = get_error_code(error)
        return code in ROLLED_BACK_CODES or (
            code in CONNECTION_LOST_CODES and query.lstrip().startswith("SELECT")
        )

    def reconnect_cursor(self) -> Any:
        self.close()
        self.ensure_connection()
        return self.connection.cursor()

    # Transactions

    def _commit(self) -> None:
        """Commit; without an answer it may have happened, also where a node gives up."""
        try:
            super()._commit()  # type: ignore[misc]  # private
        except OperationalError as error:
            if get_error_code(error) in NOT_COMMITTED_CODES:
                raise
            self.close()
            raise CommitOutcomeUnknown(*error.args) from error

    def _set_autocommit(self, autocommit: bool) -> None:
        """Switch autocommit; no transaction is open then, so a lost connection loses nothing."""
        try:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # private
        except OperationalError as error:
            if not is_connection_lost(error):
                raise
            self.close()
            if not autocommit:
                self.ensure_connection()
                super()._set_autocommit(autocommit)  # type: ignore[misc]  # private

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Switch autocommit; do not reconnect only to end a transaction.

        Django would open a connection here. Where it cannot, its error would hide the first one,
        which says whether the transaction may have been committed.
        """
        if autocommit and self.connection is None:
            self.autocommit = True
            return
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)


def order_hosts(hosts: Iterable[str]) -> list[str]:
    """Return the hosts in the configured order, those that failed lately at the end."""
    since = time.monotonic() - HOST_AVOIDANCE_SECONDS
    return sorted(hosts, key=lambda host: HOST_FAILURE_TIMES.get(host, since) > since)


def host_params(host: str) -> dict[str, Any]:
    """Return the driver's parameters for a host; without a name it has a default, or a socket."""
    name, port = parse_mysql_hosts(host)
    return ({"host": name} if name else {}) | ({"port": port} if port else {})


def fetch_value(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def check_encrypted(connection: Any) -> None:
    """Refuse a connection without TLS: MariaDB's driver uses one if it verifies no certificate."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        if not cursor.fetchone()[1]:
            raise Database.OperationalError(2026, "TLS is required, but the server has none")


def is_galera_node(connection: Any) -> bool:
    """Return whether this server is a Galera node; MySQL does not know the variable."""
    return "MariaDB" in connection.get_server_info() and bool(
        fetch_value(connection, "SELECT @@wsrep_on")
    )


def wait_for_sync(connection: Any) -> None:
    """Wait until the node is in sync; name the cause if it is not, for 1205 means a lock wait."""
    try:
        fetch_value(connection, WAIT_FOR_SYNC_SQL)
    except Database.OperationalError as error:
        if get_error_code(error) != 1205:
            raise
        raise Database.OperationalError(1047, "the node has left its cluster") from error


def disable_dirty_reads(connection: Any) -> None:
    """Refuse stale reads, which a node may be configured to allow for mail servers."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_dirty_reads = 0")


def check_writable(connection: Any) -> None:
    if fetch_value(connection, "SELECT @@read_only"):
        raise Database.OperationalError(1290, "the server is read-only")
