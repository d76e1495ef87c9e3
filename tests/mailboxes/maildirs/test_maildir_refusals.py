"""What `mailadmin maildirs` refuses: a database or a storage that cannot be right."""

import datetime
import fcntl

import pytest
from django.core.management import CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from mailboxes.models import LeftoverMaildir, Mailbox, MaildirRun
from tests import mailservers
from tests.mailboxes.maildirs.storage import (
    DORA,
    pass_days,
    read_tree,
    rows,
    states,
)

DORA_PATH, EVE_PATH = "example.org/dora", "gone.example/eve"


def test_many_new_maildirs_are_refused_without_force(storage, settings):
    settings.MAILADMIN_MAILDIRS_MAX_NEW = 1
    with pytest.raises(CommandError, match="2 maildirs have lost their mailboxes"):
        storage.run()
    assert not LeftoverMaildir.objects.exists()
    run = MaildirRun.objects.get()
    assert "2 maildirs" in run.error and run.finished and not run.scanned
    storage.run("scan", force=True)
    assert len(rows()) == 2 and MaildirRun.objects.get().error == ""


@pytest.mark.parametrize("verb", ["scan", "archive", "purge"])
def test_a_database_without_many_mailboxes_is_refused(storage, verb):
    storage.run("scan")
    pass_days(storage, 31)
    storage.run("archive")
    pass_days(storage, 181)
    (storage.archives / rows()[DORA_PATH].archive).unlink()
    LeftoverMaildir.objects.filter(path=DORA_PATH).update(state="listed", archive="")
    MaildirRun.objects.update(mailboxes=100)
    storage.maildir(DORA)
    if verb == "scan":
        with pytest.raises(CommandError, match="were 100 mailboxes .* are 1 now"):
            storage.run(verb)
        storage.run(verb, force=True)
        return
    before = storage.archive_files()
    with pytest.raises(CommandError, match="were 100 mailboxes"):
        storage.run(verb)
    assert storage.archive_files() == before and (storage.root / DORA_PATH).is_dir()
    MaildirRun.objects.update(mailboxes=11)  # ten are not suspicious
    storage.run(verb)
    assert storage.archive_files() != before


@pytest.mark.parametrize("force", [False, True])
def test_a_database_without_any_mailbox_is_refused_always(storage, force):
    storage.run("scan")
    pass_days(storage, 31)
    Mailbox.objects.all().delete()
    with pytest.raises(CommandError, match="no mailboxes at all"):
        storage.run(force=force)
    assert (storage.root / DORA_PATH).is_dir() and (storage.root / "example.org/bob").is_dir()


def test_a_storage_that_is_not_mounted_is_refused(storage, settings, tmp_path):
    storage.run("scan")
    settings.MAILADMIN_MAILDIRS_ROOT = tmp_path / "empty"
    settings.MAILADMIN_MAILDIRS_ROOT.mkdir()
    with pytest.raises(CommandError, match="is it mounted"):
        storage.run()
    assert len(rows()) == 2
    settings.MAILADMIN_MAILDIRS_ROOT = tmp_path / "missing"
    with pytest.raises(CommandError, match="No such file"):
        storage.run()


def test_archives_that_are_not_mounted_are_refused(storage, settings, tmp_path):
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    settings.MAILADMIN_MAILDIRS_ARCHIVE = tmp_path / "other"
    settings.MAILADMIN_MAILDIRS_ARCHIVE.mkdir(mode=0o700)
    pass_days(storage, 181)
    with pytest.raises(CommandError, match="None of the archives"):
        storage.run("purge")
    assert set(states().values()) == {"archived"}


def test_a_folder_of_archives_that_others_can_read_is_refused(storage):
    storage.archives.chmod(0o755)
    with pytest.raises(CommandError, match="mode 0700"):
        storage.run()


@mailservers.needs_root
def test_root_is_refused_unless_it_is_asked_for(storage):
    with pytest.raises(CommandError, match="not as root"):
        storage.run(allow_root=False)


def test_the_command_does_nothing_while_the_feature_is_off(storage, settings):
    settings.MAILADMIN_MAILDIRS = False
    with pytest.raises(CommandError, match="MAILADMIN_MAILDIRS is off"):
        storage.run()


def test_two_runs_at_the_same_time_are_refused(storage):
    storage.run("scan")
    later = timezone.now() + datetime.timedelta(minutes=5)
    MaildirRun.objects.update(holder="x other.example:7", until=later)
    with pytest.raises(CommandError, match=r"Another process works .*other\.example:7"):
        storage.run()
    MaildirRun.objects.update(until=timezone.now())
    storage.run()


def test_the_folder_of_archives_is_locked_as_well(storage):
    """Also between machines whose names of the storage differ by mistake."""
    with (storage.archives / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="works with the folder of archives"):
            storage.run()
    storage.run()


def test_a_run_whose_lease_was_taken_changes_nothing_more(storage, monkeypatch):
    storage.run("scan")
    pass_days(storage, 31)
    written = []

    def take_lease(*arguments):
        written.append(arguments)
        MaildirRun.objects.update(holder="another")

    monkeypatch.setattr("mailboxes.maildirs.archiving.write_archive", take_lease)
    monkeypatch.setattr("mailboxes.maildirs.archiving.compare_archive", lambda *a: Equal)
    monkeypatch.setattr("mailboxes.maildirs.archiving.rename_synced", lambda *a: None)
    monkeypatch.setattr("mailboxes.maildirs.archiving.begin_removal", lambda *a: False)
    with pytest.raises(CommandError, match="taken over"):
        storage.run("archive")
    assert len(written) == 1 and (storage.root / DORA_PATH).is_dir()
    assert MaildirRun.objects.get().holder == "another"


class Equal:
    is_equal = True


def test_a_database_that_is_away_is_an_error_and_nothing_is_touched(storage):
    storage.run("scan")
    pass_days(storage, 31)
    before = read_tree(storage.root)

    def refuse(execute, *statement):
        raise DatabaseError("gone")

    with connection.execute_wrapper(refuse), pytest.raises(CommandError, match="gone"):
        storage.run()
    assert read_tree(storage.root) == before and storage.archive_files() == []


# What the database cannot have done


@pytest.mark.parametrize("name", ["../../etc/passwd", ".lock", "x.tar.gz"])
def test_only_archives_can_be_purged(storage, name):
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    LeftoverMaildir.objects.update(archive=name)
    (storage.archives / "x.tar.gz").write_text("")
    LeftoverMaildir.objects.filter(path=EVE_PATH).update(archive=storage.archive_files()[0])
    pass_days(storage, 181)
    with pytest.raises(CommandError, match="2 maildirs have problems"):  # one archive has no row
        storage.run("purge")
    assert "is not the name of an archive" in rows()[DORA_PATH].problem
    assert (storage.archives / "x.tar.gz").exists()


def test_the_age_of_the_file_counts_too(storage):
    """Who can write the table cannot have an archive purged before its time."""
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    LeftoverMaildir.objects.update(archived=timezone.now() - datetime.timedelta(days=1000))
    storage.run("purge")
    assert len(storage.archive_files()) == 2 and set(states().values()) == {"archived"}


@pytest.mark.parametrize("path", ["example.org", "../outside/x", "example.org/bob/cur", "/etc/x"])
def test_a_path_that_is_no_place_of_a_maildir_is_never_archived(storage, path):
    (storage.root.parent / "outside/x/cur").mkdir(parents=True)
    storage.run("scan")
    pass_days(storage, 31)
    LeftoverMaildir.objects.filter(path=DORA_PATH).update(path=path)
    before = read_tree(storage.root / "example.org")
    with pytest.raises(CommandError):
        storage.run("archive")
    assert read_tree(storage.root / "example.org") == before
    assert (storage.root.parent / "outside/x/cur").is_dir()


@pytest.mark.parametrize("path", ["../outside/x", "/etc/x", "example.org/..", "a/b\\x00c"])
def test_a_forged_path_leads_nowhere(storage, path):
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    row = rows()[DORA_PATH]
    LeftoverMaildir.objects.filter(pk=row.pk).update(path=path)
    with pytest.raises(CommandError, match="no place of a maildir"):
        storage.run("restore", str(row.pk))
    LeftoverMaildir.objects.filter(pk=row.pk).update(state="removing")
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("archive")
    assert not (storage.root.parent / "outside").exists()
    assert (storage.archives / row.archive).exists()


def test_a_forged_name_of_an_archive_deletes_no_other_file(storage):
    storage.run("scan")
    (storage.root / "example.org/bob/x.partial").write_text("")
    name = "../vmail/example.org/bob/x"
    LeftoverMaildir.objects.filter(path=DORA_PATH).update(state="archiving", archive=name)
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("archive")
    assert (storage.root / "example.org/bob/x.partial").exists()


def test_an_archive_that_is_not_in_the_list_is_reported_and_kept(storage):
    """As after the database was restored from a backup."""
    storage.run("scan")
    before = list(LeftoverMaildir.objects.all())
    pass_days(storage, 31)
    storage.run()
    LeftoverMaildir.objects.all().delete()
    LeftoverMaildir.objects.bulk_create(before)
    pass_days(storage, 181)
    with pytest.raises(CommandError, match="2 maildirs have problems"):
        storage.run()
    assert len(storage.archive_files()) == 2
