"""The generated configuration with other databases: prefixes, sockets, SQLite."""

import contextlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mailadmin.conf import BASE_DIR
from mailboxes.mailserver.generator.steps import find_closed_parents
from tests import mailservers
from tests.legacy_databases import Database
from tests.mailboxes.generated_files import MAKE, by_command, has_messages, panel, receive
from tests.mailservers import MailServer
from tests.servers import free_port


@pytest.fixture(scope="module")
def prefixed(mariadb):
    """A database of the panel's whose tables begin with `pa_`."""
    mariadb.create("prefixed")
    Path(mariadb.socket).parent.chmod(0o755)  # as /run/mysqld is
    database = Database(mariadb, "prefixed", {"MAILADMIN_TABLE_PREFIX": "pa_"})
    database.migrate()
    database.panel("-c", MAKE)
    yield database
    database.drop()


def addresses(client):
    """Ways to configure the location of the same database."""
    here = f"127.0.0.1:{client.port}"
    usual = client.url("prefixed")
    return {
        "one host": usual,
        "a socket": usual.replace(here, "localhost") + f"?unix_socket={client.socket}",
        "several hosts": usual.replace(here, f"127.0.0.2:{free_port()},{here}"),
    }


# Seconds after which Dovecot retries an unreachable host.
RETRY_SECONDS = 1.5


@pytest.mark.mariadb
@pytest.mark.mailserver
@mailservers.needs_root
@pytest.mark.parametrize("place", ["a socket", "several hosts"])
def test_the_files_reach_the_database_of_the_panel(mariadb, prefixed, place):
    url = addresses(mariadb)[place]
    with MailServer(write=by_command(url, MAILADMIN_TABLE_PREFIX="pa_")) as server:
        mariadb.execute((server.config / "mailadmin/accounts.sql").read_text())
        server.run()
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 1)
        assert prefixed.value("SELECT messages FROM pa_quota2") == "1"
        if place == "several hosts":
            time.sleep(RETRY_SECONDS)
            assert has_messages(server, "bob@example.org", 1)
        prefixed.execute("DELETE FROM pa_quota2")
        assert "the vacation reply is not active" in log_of_autoresponder(server)


def log_of_autoresponder(server):
    """Return the autoresponder's log for a mail to bob, with its own settings only."""
    said = subprocess.run(
        [sys.executable, BASE_DIR / "manage.py", "autoreply", "--log-to-stderr"]
        + [f"--env-file={server.config}/mailadmin/autoreply.env", "--sender=alice@far.test"]
        + ["--recipient=bob#example.org@autoreply.localhost"],
        env={name: text for name, text in os.environ.items() if not name.startswith("MAILADMIN_")},
        input="From: alice@far.test\nMessage-ID: <1@far.test>\nTo: bob@example.org\n\nLunch?\n",
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    return said.stderr


# SQLite


@pytest.fixture
def shared_file():
    """A database file accessible to other users, with bob in it."""
    folder = Path(tempfile.mkdtemp(prefix="mailadmin-shared-"))
    url = f"sqlite://{folder}/here/mailadmin.sqlite3"
    folder.chmod(0o755)
    (folder / "here").mkdir()
    panel(url, "manage.py", "migrate")
    panel(url, "-c", MAKE)
    yield url, folder / "here/mailadmin.sqlite3"
    shutil.rmtree(folder)


def share(said):
    """Run the documented root commands, except for users and groups of the machine."""
    for line in said.splitlines():
        if re.match(r"  (chgrp|chmod) ", line):
            subprocess.run(["sh", "-c", line], check=True)


LEAVES = """
import django, os, signal; django.setup()
from mailboxes.models import Mailbox
Mailbox.objects.create(username="{0}@example.org", local_part="{0}", domain_id="example.org",
    maildir="example.org/{0}/", password="x")
if {1}: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.mailserver
@mailservers.needs_root
def test_postfix_and_dovecot_query_sqlite_after_the_panel_has_stopped(shared_file):
    url, path = shared_file
    said = []
    with MailServer(write=by_command(url, said=said), database_group="postfix") as server:
        share(said[0])
        server.run()
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 1)
        assert row(path, "SELECT messages FROM quota2") == (1,)
        panel(url, "-c", LEAVES.format("carol", False))
        assert accepts(server, "carol@example.org")
        with pytest.raises(AssertionError):
            panel(url, "-c", LEAVES.format("dora", True))
        assert path.with_name(f"{path.name}-wal").exists()
        assert accepts(server, "dora@example.org")
        receive(server, "bob@example.org")
        assert has_messages(server, "bob@example.org", 2)
        assert row(path, "SELECT messages FROM quota2") == (2,)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o660, file
            assert file.group() == "postfix"
        panel(url, "-c", LEAVES.format("erin", False))
        assert accepts(server, "erin@example.org")


def row(path, sql):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchone()


def accepts(server, address):
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        return client.rcpt(address)[0] == 250


@pytest.mark.mailserver
@mailservers.needs_root
def test_the_autoresponder_can_open_the_sqlite_file_as_its_user(shared_file):
    url, path = shared_file
    said = []
    with MailServer(write=by_command(url, said=said), database_group="postfix") as server:
        share(said[0])
        master = (server.config / "master.cf").read_text()
        assert "user=nobody:postfix " in master
        env = server.config / "mailadmin/autoreply.env"
        person = {"user": "nobody", "group": "postfix", "extra_groups": []}
        for file in (env, path):
            subprocess.run(["cat", file], check=True, capture_output=True, **person)
        assert f"MAILADMIN_DATABASE_URL={url}\n" in env.read_text()
        with pytest.raises(subprocess.CalledProcessError):
            other_user = person | {"group": "nogroup"}
            subprocess.run(["cat", path], check=True, capture_output=True, **other_user)


def test_an_inaccessible_folder_is_reported(tmp_path):
    closed = tmp_path / "closed"
    (closed / "open/database").mkdir(parents=True)
    closed.chmod(0o700)
    assert closed in find_closed_parents(closed / "open/database")
    closed.chmod(0o711)
    assert closed not in find_closed_parents(closed / "open/database")
