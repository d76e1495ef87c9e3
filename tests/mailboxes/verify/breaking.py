"""Ways to break a configuration for one test."""

import contextlib
import os
import sqlite3
from pathlib import Path

from django.db import connection

from domains.models import Transport
from mailboxes.models import Alias
from tests.mailboxes.verify.verifying import (
    SQLITE_NOW,
    altered,
    write_aged,
)


def edited(name, old, new):
    return lambda server: altered(server.folder / name, old, new)


def own_map(name, old, new):
    return edited(f"etc/mailadmin/{name}.cf", old, new)


def unlisted(*names):
    """Remove these maps from main.cf."""

    @contextlib.contextmanager
    def broken(server):
        with contextlib.ExitStack() as stack:
            for name in names:
                place = f"{server.choices.map_type}:$config_directory/mailadmin/{name}.cf"
                line = next(
                    line
                    for line in (server.config / "main.cf").read_text().splitlines()
                    if line.endswith(place)
                )
                left = line.removesuffix(place).rstrip().removesuffix("check_recipient_access")
                stack.enter_context(altered(server.config / "main.cf", line, left or "#"))
            yield

    return broken


@contextlib.contextmanager
def appended(path, text):
    before = path.read_text()
    write_aged(path, f"{before}\n{text}\n")
    try:
        yield
    finally:
        write_aged(path, before)


def main_cf(text):
    return lambda server: appended(server.config / "main.cf", text)


def dovecot(text):
    return lambda server: appended(server.folder / "dovecot/dovecot.conf", text)


def in_front(parameter, entry):
    """Insert an entry at the start of a list in main.cf."""

    @contextlib.contextmanager
    def broken(server):
        path = server.config / "main.cf"
        lines = path.read_text().splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{parameter} ="))
        old = lines[start]
        new = old.replace(f"{parameter} =", f"{parameter} = {entry}")
        with altered(path, f"{old}\n", f"{new}\n"):
            yield

    return broken


def query(name, old, new):
    """Change a query of Dovecot."""

    @contextlib.contextmanager
    def broken(server):
        path, line = server.dovecot.queries_file, server.dovecot.query_lines()[name]
        is_sqlite = connection.vendor == "sqlite"
        wanted = old.replace("NOW()", SQLITE_NOW) if is_sqlite else old
        assert wanted in line
        with altered(path, line, line.replace(wanted, new)):
            yield

    return broken


def queries_edited(old, new):
    return lambda server: altered(server.dovecot.queries_file, old, new)


def by_version(older, newer):
    """Apply the edit for Dovecot 2.3 or that for 2.4, by the server's version."""
    return lambda server: (newer if server.dovecot.is_modern else older)(server)


@contextlib.contextmanager
def of_root_alone(server):
    """Make a file readable by root alone, which ignores proxymap."""
    path = server.config / "mailadmin/virtual_alias.cf"
    before = path.stat()
    os.chown(path, 0, 0)
    yield
    os.chown(path, before.st_uid, before.st_gid)


@contextlib.contextmanager
def wrong_account(server):
    path = server.config / "mailadmin/virtual_alias.cf"
    if connection.vendor == "mysql":
        with altered(path, "password = testpostfix", "password = s3cret"):
            yield
    else:
        with altered(path, "dbpath = ", "dbpath = /nowhere"):
            yield


@contextlib.contextmanager
def another_database(server):
    """Use another database, with empty tables."""
    path = server.config / "mailadmin/virtual_mailbox.cf"
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        copied = Path(name).with_name("former.sqlite3")
        with sqlite3.connect(name) as ours, sqlite3.connect(copied) as theirs:
            ours.backup(theirs)
            theirs.execute("DELETE FROM mailbox")
        copied.chmod(0o666)
        with altered(path, name, str(copied)):
            yield
        return
    former = f"{name}_former"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {former}")
        cursor.execute(f"CREATE DATABASE {former}")
        for table in ("mailbox", "domain"):
            cursor.execute(f"CREATE TABLE {former}.{table} LIKE {name}.{table}")
        for host in ("localhost", "127.0.0.1"):
            cursor.execute(f"GRANT SELECT ON {former}.* TO mailadmin_postfix@'{host}'")
        try:
            with altered(path, f"dbname = {name}\n", f"dbname = {former}\n"):
                yield
        finally:
            cursor.execute(f"DROP DATABASE {former}")


@contextlib.contextmanager
def unknown_service(server):
    """Add a row of another program."""
    Transport.objects.create(pattern="strange.test", transport="nosuch:")
    yield
    Transport.objects.filter(pk="strange.test").delete()


@contextlib.contextmanager
def bare_domain(server):
    """Add a row that makes the domain one of aliases if virtual_alias_domains has its default."""
    Alias.objects.create(address="example.com", goto="bob@example.org", domain_id="example.org")
    with altered(server.config / "main.cf", "virtual_alias_domains =\n", "\n"):
        yield
    Alias.objects.filter(pk="example.com").delete()
