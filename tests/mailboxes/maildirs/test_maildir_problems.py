"""What a run says of problems, on the page and in its output."""

import io
import os

import pytest
from django.core.management import CommandError, call_command

from mailboxes.maildirs import command, restoring
from mailboxes.models import LeftoverMaildir, Mailbox, MaildirRun
from tests.mailboxes.maildirs.storage import DORA, pass_days, rows

DORA_PATH = "example.org/dora"


def get_error():
    return MaildirRun.objects.get().error


@pytest.fixture
def archived(storage):
    """Return the key of dora's archive."""
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    return str(rows()[DORA_PATH].pk)


def test_a_maildir_counts_once_in_a_run_that_lists_and_archives_it(storage):
    storage.run("scan")
    pass_days(storage, 31)
    os.mkfifo(storage.root / DORA_PATH / "pipe")
    with pytest.raises(CommandError, match="^1 maildir has a problem"):
        storage.run()
    assert get_error() == "1 maildir has a problem: see the list."


def test_a_dry_run_names_the_problem(storage):
    os.mkfifo(storage.root / DORA_PATH / "pipe")
    output = io.StringIO()
    with pytest.raises(CommandError, match="has a problem"):
        call_command("maildirs", "scan", allow_root=True, dry_run=True, stdout=output)
    assert f"\nproblem {DORA_PATH}: pipe is neither a file nor" in f"\n{output.getvalue()}"


def test_what_has_no_row_is_named_with_the_run(storage):
    """The list cannot show it."""
    storage.maildir("", path="example.org/.mailadmin-removed-77")
    (storage.archives / "5-0123456789abcdef.tar.gz").touch()
    with pytest.raises(CommandError, match="2 maildirs have problems"):
        storage.run()
    assert get_error() == (
        "5-0123456789abcdef.tar.gz: This archive is not in the list.\n"
        "example.org/.mailadmin-removed-77: An interrupted run has left this folder."
        " See the documentation."
    )


def test_a_run_that_crashes_has_failed(storage, monkeypatch):
    def crash(session):
        raise RuntimeError

    monkeypatch.setattr(command, "purge_archives", crash)
    with pytest.raises(RuntimeError):
        storage.run()
    assert "ended by an error" in get_error()
    assert MaildirRun.objects.filter(MaildirRun.is_failed()).exists()


def test_a_refused_restoration_is_no_failed_run(storage, archived):
    (storage.root / DORA_PATH).mkdir()
    with pytest.raises(CommandError, match="of this name already"):
        storage.run("restore", archived)
    assert get_error() == ""
    assert not MaildirRun.objects.filter(MaildirRun.is_failed()).exists()


def test_a_failed_restoration_leaves_no_incomplete_folder(storage, archived, monkeypatch):
    def fill_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restoring, "compare_archive", fill_disk)
    with pytest.raises(CommandError, match="No space left"):
        storage.run("restore", archived)
    assert [path.name for path in (storage.root / "example.org").iterdir()] == ["bob"]


def test_a_folder_of_mail_behind_a_link_is_found_by_its_own_name(storage, settings):
    """Where paths in the database name the folder, and the setting a link to it."""
    link = storage.root.with_name("link")
    link.symlink_to(storage.root)
    settings.MAILADMIN_MAILDIRS_ROOT = link
    Mailbox.objects.update(maildir=f"{storage.root}/{DORA_PATH}/")
    storage.run("scan")
    assert not LeftoverMaildir.objects.filter(mailbox=DORA).exists()
