"""Runs that are killed before each of their steps, on disk and in the database: no mail is lost."""

import os
import shutil
import signal
import sys

import pytest
from django.db import connection
from django.utils import timezone

from mailboxes.models import LeftoverMaildir, Mailbox, MaildirRun
from mailboxes.services.mailboxes import delete_mailboxes
from tests.mailboxes.delivery.sending import perform_service
from tests.mailboxes.maildirs.storage import (
    DORA,
    create_dora_again,
    pass_days,
    read_archive,
    read_tree,
)

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
MOST_STEPS = 200


class Killer:
    """Kill this process before a step, counted from 0: for a child, as audit hooks remain."""

    def __init__(self, number):
        self.left = number

    def step(self):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def audit(self, event, arguments):
        is_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event in CHANGES or is_writing:
            self.step()

    def before_statement(self, execute, *statement):
        self.step()
        return execute(*statement)


def run_killed(storage, number, *arguments):
    """Run the command in a child that is killed at this step; return whether it was."""
    connection.close()
    child = os.fork()
    if not child:
        status = 1
        try:
            killer = Killer(number)
            with connection.execute_wrapper(killer.before_statement):
                sys.addaudithook(killer.audit)
                storage.run(*arguments)
            status = 0
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    MaildirRun.objects.update(until=timezone.now())  # ten minutes later
    return status != 0


@pytest.fixture
def dora(storage):
    """Return the storage with dora's maildir alone."""
    shutil.rmtree(storage.root / "gone.example")
    return storage


def prepare(storage):
    """Have dora's maildir wait to be archived; return what is in it."""
    folder = storage.root / "example.org/dora"
    shutil.rmtree(folder, ignore_errors=True)
    for name in storage.archive_files():
        (storage.archives / name).unlink()
    LeftoverMaildir.objects.all().delete()
    if Mailbox.objects.filter(pk=DORA).exists():
        perform_service(delete_mailboxes, [DORA])
    storage.maildir(DORA)
    storage.run("scan")
    pass_days(storage, 31)
    return read_tree(folder)


def find_copies(storage):
    """Return all that is in the folder, in a folder to be deleted, or in a complete archive."""
    found = {}
    for folder in (storage.root / "example.org").iterdir():
        if folder.name == "dora" or folder.name.startswith(".mailadmin-removed-"):
            found |= read_tree(folder)
    for name in storage.archive_files():
        if name.endswith(".gz"):
            found |= read_archive(storage.archives / name)
    return found


def test_no_mail_is_lost_and_the_next_run_archives_it(dora):
    folder = dora.root / "example.org/dora"
    number = 0
    expected = prepare(dora)
    while run_killed(dora, number, "archive"):
        assert find_copies(dora).items() >= expected.items(), f"step {number}"
        dora.run("archive")
        row = LeftoverMaildir.objects.get()
        assert (row.state, row.problem) == ("archived", ""), f"step {number}"
        assert dora.archive_files() == [row.archive], f"step {number}"
        assert read_archive(dora.archives / row.archive) == expected
        assert os.listdir(dora.root / "example.org") == ["bob"]
        number += 1
        expected = prepare(dora)
    assert 25 < number < MOST_STEPS and not folder.exists()


def test_a_mailbox_that_is_made_again_meanwhile_keeps_its_new_mail(dora):
    folder, number = dora.root / "example.org/dora", 0
    expected = prepare(dora)
    while run_killed(dora, number, "archive"):
        create_dora_again()
        (folder / "new").mkdir(parents=True, exist_ok=True)
        new = folder / "new/1800000000.M1P1.mail"
        new.write_text("to the next dora\n")
        dora.run("run")
        dora.run("run")
        assert new.read_text() == "to the next dora\n", f"step {number}"
        assert find_copies(dora).items() >= expected.items(), f"step {number}"
        assert set(os.listdir(dora.root / "example.org")) == {"bob", "dora"}
        number += 1
        expected = prepare(dora)
    assert number > 25


def test_a_maildir_is_restored_whole_or_not_at_all(dora):
    folder, number = dora.root / "example.org/dora", 0
    expected = prepare(dora)
    dora.run("archive")
    row = LeftoverMaildir.objects.get()
    while run_killed(dora, number, "restore", str(row.pk)):
        assert not folder.exists() or read_tree(folder) == expected, f"step {number}"
        assert read_archive(dora.archives / row.archive) == expected
        if not folder.exists():
            dora.run("restore", str(row.pk))
        assert read_tree(folder) == expected
        assert set(os.listdir(dora.root / "example.org")) == {"bob", "dora"}
        shutil.rmtree(folder)
        number += 1
    assert 15 < number < MOST_STEPS and read_tree(folder) == expected


def test_a_purge_that_is_killed_is_finished_by_the_next_run(dora):
    number = 0
    while True:
        prepare(dora)
        dora.run("archive")
        pass_days(dora, 181)
        if not run_killed(dora, number, "purge"):
            break
        dora.run("purge")
        row = LeftoverMaildir.objects.get()
        assert (row.state, dora.archive_files()) == ("purged", []), f"step {number}"
        number += 1
    assert number > 5
