"""Connections that leave a host which is gone, or cut off from its cluster, for another."""

import contextlib
import logging
import time
from typing import Any

from django.db import OperationalError
from django.db.backends.mysql import base
from django.db.backends.mysql.base import Database

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
MAX_STATEMENT_ATTEMPTS = 3  # of a statement
ROLLED_BACK_CODES = REFUSED_CODES | {
    1213,
    1020,
}  # two nodes have changed a row, and this one was later
HOST_FAILURE_TIMES = {}  # host → when it last gave this process no connection

# A node that is cut off answers all that reads no table. This waits until it has what the others
# had committed before, and fails where there are no others: what a person has just changed
# through another node is there when he looks.
WAIT_FOR_SYNC_SQL = "SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1"


class RetryingCursor(base.CursorWrapper):
    """Asks once more, or elsewhere, where nothing but the question is lost."""

    def __init__(self, cursor, wrapper) -> None:
        super().__init__(cursor)
        self.wrapper = wrapper

    def close(self) -> None:
        """Close without reading what is left of an answer where the connection is gone.

        Django closes a cursor whose statement failed; an error of the driver at that moment is
        not translated and would hide the first one.
        """
        with contextlib.suppress(Database.Error):
            self.cursor.close()

    def execute(self, query, args: Any = None):
        for left in reversed(range(MAX_STATEMENT_ATTEMPTS)):
            try:
                return super().execute(query, args)
            except Database.OperationalError as error:
                if not (left and self.wrapper.can_retry(error, query)):
                    raise
                if get_error_code(error) in CONNECTION_LOST_CODES:
                    self.cursor = self.wrapper.reconnect_cursor()
        return None


class DatabaseWrapper(base.DatabaseWrapper):
    is_cluster_node = False
    connection_count = 0

    # Hosts

    def get_connection_params(self):
        """The driver is given one host at a time."""
        params = super().get_connection_params()
        given = params.pop("host", "")
        params["hosts"] = tuple(given.split(",")) if "," in given else (given,)
        return params

    def get_new_connection(self, params):
        *hosts, last = order_hosts(params.pop("hosts"))
        for host in hosts:
            try:
                return self._connect(host, params, choosy=True)
            except Database.OperationalError as error:
                HOST_FAILURE_TIMES[host] = time.monotonic()
                logger.warning("the database host %s is left aside: %s", host, error)
        return self._connect(last, params, choosy=bool(hosts))

    def _connect(self, host, params, choosy):
        connection = super().get_new_connection(host_params(host) | params)
        try:
            self.is_cluster_node = is_galera_node(connection)
            if self.is_cluster_node:
                disable_dirty_reads(connection)
                wait_for_sync(connection)
            if choosy:
                check_writable(connection)
        except Database.Error:
            connection.close()
            raise
        HOST_FAILURE_TIMES.pop(host, None)
        self.connection_count += 1
        return connection

    def is_usable(self):
        """Asked at the beginning of each request; a node without its cluster answers a ping."""
        if not self.is_cluster_node:
            return super().is_usable()
        try:
            wait_for_sync(self.connection)
        except Database.Error:
            return False
        return True

    # Statements

    def create_cursor(self, name: str = None):
        return RetryingCursor(self.connection.cursor(), self)

    def can_retry(self, error, query):
        """Outside of a transaction: what has not happened, and what only reads."""
        if self.in_atomic_block or not self.autocommit:
            return False
        code = get_error_code(error)
        return code in ROLLED_BACK_CODES or (
            code in CONNECTION_LOST_CODES and query.lstrip().startswith("SELECT")
        )

    def reconnect_cursor(self):
        self.close()
        self.ensure_connection()
        return self.connection.cursor()

    # Transactions

    def _commit(self) -> None:
        """A commit without an answer may have happened, also where a node gives up on it."""
        try:
            super()._commit()
        except OperationalError as error:
            if get_error_code(error) in NOT_COMMITTED_CODES:
                raise
            self.close()
            raise CommitOutcomeUnknown(*error.args) from error

    def _set_autocommit(self, autocommit) -> None:
        """Nothing has begun yet, or it is over and decided: a lost connection loses nothing."""
        try:
            super()._set_autocommit(autocommit)
        except OperationalError as error:
            if not is_connection_lost(error):
                raise
            self.close()
            if not autocommit:
                self.ensure_connection()
                super()._set_autocommit(autocommit)

    def set_autocommit(
        self, autocommit, force_begin_transaction_with_broken_autocommit=False
    ) -> None:
        """What ended with its connection needs no new one to have ended.

        Django would open one here, and where it cannot, its error would hide the first one, which
        says whether the transaction may have been committed.
        """
        if autocommit and self.connection is None:
            self.autocommit = True
            return
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)


def order_hosts(hosts):
    """As the operator has named them, those that have failed lately at the end."""
    lately = time.monotonic() - HOST_AVOIDANCE_SECONDS
    return sorted(hosts, key=lambda host: HOST_FAILURE_TIMES.get(host, lately) > lately)


def host_params(host):
    """How the driver is told of a host; without one it has its own, or a socket."""
    name, port = parse_mysql_hosts(host)
    return ({"host": name} if name else {}) | ({"port": port} if port else {})


def fetch_value(connection, sql: str):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def is_galera_node(connection) -> bool:
    """Return whether this server is a node of Galera's; MySQL does not know the variable."""
    return "MariaDB" in connection.get_server_info() and bool(
        fetch_value(connection, "SELECT @@wsrep_on")
    )


def wait_for_sync(connection) -> None:
    """In words that say what is wrong: the server's own speak of a lock."""
    try:
        fetch_value(connection, WAIT_FOR_SYNC_SQL)
    except Database.OperationalError as error:
        if get_error_code(error) != 1205:
            raise
        raise Database.OperationalError(1047, "the node is not in its cluster") from error


def disable_dirty_reads(connection) -> None:
    """A node may be set to show mail servers what it had before it was cut off."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_dirty_reads = 0")


def check_writable(connection) -> None:
    if fetch_value(connection, "SELECT @@read_only"):
        raise Database.OperationalError(1290, "the server is read only")
