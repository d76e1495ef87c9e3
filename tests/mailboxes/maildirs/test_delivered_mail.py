"""Maildirs that a real mail server has written: archived, restored, and imported again."""

import stat
import subprocess
import tarfile

import pytest

from mailboxes.services.mailboxes import delete_mailboxes
from tests import mailservers
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import (
    build_mail,
    create_mailboxes_of,
    mailbox,
    perform_service,
    send,
    subjects,
)
from tests.mailboxes.maildirs.storage import BOB, DORA, MailStorage, pass_days, rows
from tests.mailservers import MailServer

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
DORA_PATH = "example.org/dora"


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    with django_db_blocker.unblock(), MailServer() as server:
        mailservers.open_database(server, request)
        yield server.run()


class DeliveredStorage(MailStorage):
    """The storage of a mail server, in which a deleted mailbox has just received a message."""

    def __init__(self, server, folder, settings):
        super().__init__(folder, settings)
        self.root = settings.MAILADMIN_MAILDIRS_ROOT = server.folder / "mail"

    def archive(self):
        self.age(self.root)
        self.run("scan")
        pass_days(self, 31)
        self.run()


@pytest.fixture
def storage(running, transactional_db, settings, tmp_path):
    running.delete_mails()
    create_mailboxes_of(BOB, DORA)
    for address in (BOB, DORA):
        send(running, address, text=build_mail("Before", to=address))
    running.settle()
    with running.dovecot.imap() as imap:
        imap.login(DORA, PASSWORD)
        imap.create("&BBQENQRXBDk-")
        imap.select()
        imap.copy("1", "INBOX")  # a hard link
        imap.store("1", "+FLAGS", "\\Flagged")
    perform_service(delete_mailboxes, [DORA])
    return DeliveredStorage(running, tmp_path, settings)


def flags(server, address):
    with server.dovecot.imap() as imap:
        imap.login(address, PASSWORD)
        assert imap.select(readonly=True)[0] == "OK"
        _ok, found = imap.fetch("1:*", "(FLAGS INTERNALDATE)")
        return sorted(found)


def test_what_dovecot_has_written_is_archived_and_bobs_is_not(running, storage):
    storage.archive()
    assert rows()[DORA_PATH].state == "archived" and rows()[DORA_PATH].messages == 2
    assert not (storage.root / DORA_PATH).exists()
    assert subjects(running, BOB) == ["Before"]
    with tarfile.open(storage.archives / rows()[DORA_PATH].archive) as tar:
        names = tar.getnames()
    assert {"cur", "new", "tmp", "dovecot-uidlist"} <= set(names)


def test_a_mailbox_that_is_brought_back_is_restored_as_it_was(running, storage):
    owners = {path.stat().st_uid for path in (storage.root / DORA_PATH).rglob("*")}
    mailbox(DORA)
    before = flags(running, DORA)
    perform_service(delete_mailboxes, [DORA])
    storage.age(storage.root)
    aged = [path.stat().st_mtime for path in (storage.root / DORA_PATH).glob("cur/*")]
    storage.archive()
    mailbox(DORA)
    storage.run("restore", str(rows()[DORA_PATH].pk))
    folder = storage.root / DORA_PATH
    assert {path.stat().st_uid for path in folder.rglob("*")} == owners
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o022 for path in folder.rglob("*"))
    assert len(before) == len(flags(running, DORA)) == 2
    restored = [path.stat().st_mtime for path in folder.glob("cur/*")]
    assert sorted(map(int, restored)) == sorted(map(int, aged))
    assert subjects(running, DORA) == ["Before", "Before"]
    send(running, DORA, text=build_mail("After", to=DORA))
    running.settle()
    assert subjects(running, DORA)[-1] == "After"


def test_an_archive_is_imported(running, storage):
    """As the documentation says, if the mailbox has mail again."""
    storage.archive()
    mailbox(DORA)
    send(running, DORA, text=build_mail("After", to=DORA))
    running.settle()
    unpacked = running.folder / "unpacked"
    unpacked.mkdir()
    archive = storage.archives / rows()[DORA_PATH].archive
    subprocess.run(["tar", "-xzf", archive, "-C", unpacked], check=True)
    imported = running.dovecot.tool("import", "-u", DORA, f"maildir:{unpacked}", "Restored", "all")
    assert imported.returncode == 0, imported.stderr
    with running.dovecot.imap() as imap:
        imap.login(DORA, PASSWORD)
        assert imap.select("INBOX")[1] == [b"1"]
        assert imap.select("Restored.INBOX")[1] == [b"2"]
