"""Connections that leave a host which is gone, or cut off from its cluster, for another."""

import contextlib
import logging
import time

from django.db import OperationalError
from django.db.backends.mysql import base
from django.db.backends.mysql.base import Database

from mailadmin.conf.urls import mysql_hosts
from mailadmin.db.mysql.errors import LOST, NOT_COMMITTED, REFUSED, CommitUnknown, code_of, is_lost

logger = logging.getLogger("mailadmin.mysql")

AVOIDED_SECONDS = 30
TRIES = 3  # of a statement
UNDONE = REFUSED | {1213, 1020}  # two nodes have changed a row, and this one was later
FAILED = {}  # host → when it last gave this process no connection

# A node that is cut off answers all that reads no table. This waits until it has what the others
# had committed before, and fails where there are no others: what a person has just changed
# through another node is there when he looks.
CAUGHT_UP = "SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1"


class Cursor(base.CursorWrapper):
    """Asks once more, or elsewhere, where nothing but the question is lost."""

    def __init__(self, cursor, wrapper):
        super().__init__(cursor)
        self.wrapper = wrapper

    def close(self):
        """Close without reading what is left of an answer where the connection is gone.

        Django closes a cursor whose statement failed; an error of the driver at that moment is
        not translated and would hide the first one.
        """
        with contextlib.suppress(Database.Error):
            self.cursor.close()

    def execute(self, query, args=None):
        for left in reversed(range(TRIES)):
            try:
                return super().execute(query, args)
            except Database.OperationalError as error:
                if not (left and self.wrapper.may_ask_again(error, query)):
                    raise
                if code_of(error) in LOST:
                    self.cursor = self.wrapper.another_cursor()
        return None


class DatabaseWrapper(base.DatabaseWrapper):
    in_cluster = False
    connections_made = 0

    # Hosts

    def get_connection_params(self):
        """The driver is given one host at a time."""
        params = super().get_connection_params()
        given = params.pop("host", "")
        params["hosts"] = tuple(given.split(",")) if "," in given else (given,)
        return params

    def get_new_connection(self, params):
        *hosts, last = in_turn(params.pop("hosts"))
        for host in hosts:
            try:
                return self._connected(host, params, choosy=True)
            except Database.OperationalError as error:
                FAILED[host] = time.monotonic()
                logger.warning("the database host %s is left aside: %s", host, error)
        return self._connected(last, params, choosy=bool(hosts))

    def _connected(self, host, params, choosy):
        connection = super().get_new_connection(place(host) | params)
        try:
            self.in_cluster = is_in_cluster(connection)
            if self.in_cluster:
                refuse_old_rows(connection)
                catch_up(connection)
            if choosy:
                refuse_read_only(connection)
        except Database.Error:
            connection.close()
            raise
        FAILED.pop(host, None)
        self.connections_made += 1
        return connection

    def is_usable(self):
        """Asked at the beginning of each request; a node without its cluster answers a ping."""
        if not self.in_cluster:
            return super().is_usable()
        try:
            catch_up(self.connection)
        except Database.Error:
            return False
        return True

    # Statements

    def create_cursor(self, name=None):
        return Cursor(self.connection.cursor(), self)

    def may_ask_again(self, error, query):
        """Outside of a transaction: what has not happened, and what only reads."""
        if self.in_atomic_block or not self.autocommit:
            return False
        code = code_of(error)
        return code in UNDONE or (code in LOST and query.lstrip().startswith("SELECT"))

    def another_cursor(self):
        self.close()
        self.ensure_connection()
        return self.connection.cursor()

    # Transactions

    def _commit(self):
        """A commit without an answer may have happened, also where a node gives up on it."""
        try:
            super()._commit()
        except OperationalError as error:
            if code_of(error) in NOT_COMMITTED:
                raise
            self.close()
            raise CommitUnknown(*error.args) from error

    def _set_autocommit(self, autocommit):
        """Nothing has begun yet, or it is over and decided: a lost connection loses nothing."""
        try:
            super()._set_autocommit(autocommit)
        except OperationalError as error:
            if not is_lost(error):
                raise
            self.close()
            if not autocommit:
                self.ensure_connection()
                super()._set_autocommit(autocommit)

    def set_autocommit(self, autocommit, force_begin_transaction_with_broken_autocommit=False):
        """What ended with its connection needs no new one to have ended.

        Django would open one here, and where it cannot, its error would hide the first one, which
        says whether the transaction may have been committed.
        """
        if autocommit and self.connection is None:
            self.autocommit = True
            return
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)


def in_turn(hosts):
    """As the operator has named them, those that have failed lately at the end."""
    lately = time.monotonic() - AVOIDED_SECONDS
    return sorted(hosts, key=lambda host: FAILED.get(host, lately) > lately)


def place(host):
    """How the driver is told of a host; without one it has its own, or a socket."""
    name, port = mysql_hosts(host)
    return ({"host": name} if name else {}) | ({"port": port} if port else {})


def ask(connection, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def is_in_cluster(connection):
    """Whether this server is a node of Galera's; MySQL does not know the variable."""
    return "MariaDB" in connection.get_server_info() and bool(ask(connection, "SELECT @@wsrep_on"))


def catch_up(connection):
    """In words that say what is wrong: the server's own speak of a lock."""
    try:
        ask(connection, CAUGHT_UP)
    except Database.OperationalError as error:
        if code_of(error) != 1205:
            raise
        raise Database.OperationalError(1047, "the node is not in its cluster") from error


def refuse_old_rows(connection):
    """A node may be set to show mail servers what it had before it was cut off."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION wsrep_dirty_reads = 0")


def refuse_read_only(connection):
    if ask(connection, "SELECT @@read_only"):
        raise Database.OperationalError(1290, "the server is read only")
