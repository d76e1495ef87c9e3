"""`mailadmin maildirs` as it is deployed: with a user of its own, and a database user as well."""

import datetime
import io
import os
import re
import shutil
import stat
import subprocess
import tempfile
import traceback
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from mailadmin.conf import BASE_DIR
from mailboxes.models import LeftoverMaildir
from tests import mailservers
from tests.mailboxes.maildirs.storage import BOB, DORA, MailStorage, create_world, pass_days, rows

pytestmark = [pytest.mark.mariadb, mailservers.needs_root]
NOBODY = 65534
DORA_PATH = "example.org/dora"
FORBIDDEN = [
    "SELECT password FROM mailbox",
    "SELECT * FROM mailbox",
    "INSERT INTO mailbox (username, maildir) VALUES ('x', 'y')",
    "UPDATE mailbox SET maildir = 'x'",
    "DELETE FROM mailbox",
    "SELECT * FROM admin",
    "SELECT * FROM domain",
    "SELECT * FROM mailadmin_change",
    "DELETE FROM mailadmin_maildir_run",
    "DROP TABLE mailadmin_leftover_maildir",
]


class Account:
    """The command in a process of its own, as nobody, with the rights of the file in deploy/."""

    def __init__(self, mariadb, storage):
        self.storage = storage
        self.mariadb, self.name = mariadb, connection.settings_dict["NAME"]
        self.user = f"maildirs_{os.getpid()}"
        self.grants = self.read_grants()

    def read_grants(self):
        text = (BASE_DIR / "deploy/mailadmin-maildirs.sql").read_text()
        text = text.replace(" ON postfix.", f" ON `{self.name}`.")
        text = text.replace("'mailadmin_maildirs'@'localhost'", f"{self.user}@'%'")
        return text.replace("IDENTIFIED BY 'password'", "IDENTIFIED BY 'x'")

    def run(self, *arguments):
        """Run the command; return its status and all that it has printed.

        In a fork, since the interpreter of the tests may belong to root alone.
        """
        connection.close()
        reader, writer = os.pipe()
        if not (child := os.fork()):
            status = 2
            try:
                status, output = self.run_as_nobody(arguments)
                os.write(writer, output.encode())
            finally:
                os._exit(status)
        os.close(writer)
        with os.fdopen(reader) as file:
            output = file.read()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output

    def run_as_nobody(self, arguments):
        connection.settings_dict |= {
            "USER": self.user,
            "PASSWORD": "x",
            "HOST": "127.0.0.1",
            "PORT": str(self.mariadb.port),
        }
        connection.settings_dict["OPTIONS"].pop("unix_socket", None)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        output = io.StringIO()
        try:
            call_command("maildirs", *arguments, stdout=output)
        except CommandError as error:
            return error.returncode, output.getvalue() + str(error)
        except Exception:
            return 2, traceback.format_exc()
        return 0, output.getvalue()

    def query(self, sql):
        options = [f"--user={self.user}", "--password=x", "--host=127.0.0.1"]
        options += [f"--port={self.mariadb.port}", self.name, "--execute", sql]
        return subprocess.run(["mariadb", *options], capture_output=True, text=True)


@pytest.fixture
def storage(settings, transactional_db):
    """Return a storage that nobody can enter, with mail that belongs to nobody."""
    path = Path(tempfile.mkdtemp(prefix="maildirs-"))
    path.chmod(0o755)
    storage = MailStorage(path, settings)
    create_world()
    for address in (BOB, DORA):
        storage.maildir(address)
    for each in (storage.root, storage.archives, *storage.root.rglob("*")):
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
    yield storage
    shutil.rmtree(path)


@pytest.fixture
def account(mariadb, storage):
    account = Account(mariadb, storage)
    mariadb.execute(account.grants)
    yield account
    mariadb.execute(f"DROP USER {account.user}@'%'")


def make_due():
    past = timezone.now() - datetime.timedelta(days=40)
    LeftoverMaildir.objects.update(first_seen=past, archive_due=past)


def test_it_works_with_these_rights_and_has_no_others(account, storage):
    status, output = account.run("scan")
    assert (status, DORA_PATH in rows()) == (0, True), output
    make_due()
    status, output = account.run("run")
    assert (status, f"archive {DORA_PATH}" in output) == (0, True), output
    assert os.listdir(storage.root / "example.org") == ["bob"]
    [archive] = storage.archives.glob("*.tar.gz")
    found = archive.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, NOBODY, NOBODY)
    status, output = account.run("list", "--state", "archived", "--json")
    assert status == 0 and archive.name in output
    assert account.run("restore", str(rows()[DORA_PATH].pk))[0] == 0
    assert (storage.root / DORA_PATH / "cur").is_dir()
    pass_days(account.storage, 181)
    assert account.run("purge")[0] == 0 and not archive.exists()
    for sql in [*FORBIDDEN, "SELECT user FROM mysql.user"]:
        said = account.query(sql)
        assert said.returncode and "denied" in said.stderr, sql


def test_each_right_is_needed(account, mariadb):
    """A right that nothing uses would be one too many."""
    assert account.run("scan")[0] == 0
    for rights, place in re.findall(r"GRANT (.+?) ON (\S+) TO", account.grants):
        mariadb.execute(f"REVOKE {rights} ON {place} FROM {account.user}@'%'")
        status, output = account.run("run")
        assert (status, "denied" in output) == (1, True), (place, output)
        mariadb.execute(f"GRANT {rights} ON {place} TO {account.user}@'%'")
    assert account.run("run")[0] == 0


def test_mail_of_another_user_is_left_alone_and_reported(account, storage):
    assert account.run("scan")[0] == 0
    make_due()
    dora = storage.root / DORA_PATH
    os.chown(dora / "cur", 0, 0)
    (dora / "cur").chmod(0o700)  # cannot be read
    status, output = account.run("archive")
    assert status == 1 and "Permission denied" in output
    assert (dora / "new").is_dir() and not list(storage.archives.glob("*.gz*"))
    (dora / "cur").chmod(0o755)  # can be read, and not be changed
    status, output = account.run("archive")
    assert status == 1 and "Permission denied" in output
    assert len(list(storage.archives.glob("*.tar.gz"))) == 1  # with all of it
    [rest] = [path for path in dora.parent.iterdir() if path.name != "bob"]
    os.chown(rest / "cur", NOBODY, NOBODY)
    assert account.run("archive")[0] == 0
    assert os.listdir(dora.parent) == ["bob"] and rows()[DORA_PATH].state == "archived"


def test_a_maildir_that_cannot_be_read_stays_listed_and_kept(account, storage):
    assert account.run("scan")[0] == 0
    LeftoverMaildir.objects.filter(path=DORA_PATH).update(kept=True)
    dora = storage.root / DORA_PATH
    mode = dora.stat().st_mode
    os.chown(dora, 0, 0)
    dora.chmod(0o700)
    status, output = account.run("scan")
    assert status == 1 and "Permission denied" in output
    assert rows()[DORA_PATH].kept and rows()[DORA_PATH].problem
    os.chown(dora, NOBODY, NOBODY)
    dora.chmod(mode)
    assert account.run("scan")[0] == 0
    assert rows()[DORA_PATH].kept and not rows()[DORA_PATH].problem
    shutil.rmtree(dora)
    assert account.run("scan")[0] == 0 and DORA_PATH not in rows()
