"""Maildirs of former mailboxes: listed, archived, purged, restored."""

import datetime
import json
import os
import stat

import pytest
from django.core.management import CommandError
from django.utils import timezone

from mailboxes.models import LeftoverMaildir, Mailbox, MaildirRun
from mailboxes.services.maildirs import set_leftover_maildirs
from tests import mailservers
from tests.mailboxes.delivery.sending import perform_service
from tests.mailboxes.maildirs.storage import (
    BOB,
    DORA,
    create_dora_again,
    pass_days,
    read_archive,
    read_tree,
    rows,
    states,
)

DORA_PATH, EVE_PATH = "example.org/dora", "gone.example/eve"


def test_maildirs_without_a_mailbox_are_listed_and_left_as_they_are(storage):
    before = read_tree(storage.root)
    output = storage.run("scan")
    assert f"list {DORA_PATH}: 3 messages" in output
    assert states() == {DORA_PATH: "listed", EVE_PATH: "listed"}
    row = rows()[DORA_PATH]
    assert (row.mailbox, row.domain_name, row.messages) == (DORA, "example.org", 3)
    assert row.size == sum(
        len(each)
        for each in read_tree(storage.root / DORA_PATH).values()
        if isinstance(each, bytes)
    )
    assert timezone.now() - row.last_mail > datetime.timedelta(days=399)
    assert row.archive_due - row.first_seen == datetime.timedelta(days=30)
    assert read_tree(storage.root) == before
    run = MaildirRun.objects.get()
    assert (run.mailboxes, run.maildirs, run.error) == (1, 3, "")
    assert storage.run("scan") == "" and len(rows()) == 2


def test_they_are_archived_after_the_waiting_time_and_purged_after_another(storage):
    before = read_tree(storage.root / DORA_PATH)
    storage.run()
    pass_days(storage, 29)
    storage.run()
    assert (storage.root / DORA_PATH).is_dir() and not storage.archive_files()
    pass_days(storage, 2)
    storage.run()
    assert not (storage.root / DORA_PATH).exists()
    assert sorted(os.listdir(storage.root / "example.org")) == ["bob"]
    row = rows()[DORA_PATH]
    file = storage.archives / row.archive
    assert read_archive(file) == before
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (row.state, row.archive_size) == ("archived", file.stat().st_size)
    pass_days(storage, 179)
    storage.run()
    assert file.exists()
    pass_days(storage, 2)
    storage.run()
    assert storage.archive_files() == []
    assert states() == {DORA_PATH: "purged", EVE_PATH: "purged"}
    assert (storage.root / "example.org/bob/cur").is_dir()
    pass_days(storage, 1)
    assert storage.run() == ""


def test_a_dry_run_says_what_would_be_done_and_does_nothing(storage):
    assert f"would list {DORA_PATH}" in storage.run(dry_run=True)
    assert not LeftoverMaildir.objects.exists() and not MaildirRun.objects.exists()
    storage.run("scan")
    pass_days(storage, 31)
    before = read_tree(storage.root), list(LeftoverMaildir.objects.values())
    steps = json.loads(storage.run(dry_run=True, json=True))
    assert [(each["action"], each["path"]) for each in steps] == [
        ("archive", DORA_PATH),
        ("archive", EVE_PATH),
    ]
    assert (read_tree(storage.root), list(LeftoverMaildir.objects.values())) == before
    assert os.listdir(storage.archives) == [".lock"]
    storage.run()
    pass_days(storage, 181)
    assert f"would purge {DORA_PATH}" in storage.run("purge", dry_run=True)
    assert len(storage.archive_files()) == 2
    assert f"would restore {DORA_PATH}" in storage.run(
        "restore", str(rows()[DORA_PATH].pk), dry_run=True
    )
    assert not (storage.root / DORA_PATH).exists()


def test_a_mailbox_that_is_made_again_keeps_its_mail(storage):
    storage.run("scan")
    pass_days(storage, 31)
    create_dora_again()
    storage.run("archive")
    assert (storage.root / DORA_PATH).is_dir()
    assert states() == {DORA_PATH: "listed", EVE_PATH: "archived"}
    output = storage.run("scan")
    assert f"forget {DORA_PATH}: it has a mailbox again" in output
    assert DORA_PATH not in states()


def test_an_archive_is_not_purged_once_the_mailbox_is_made_again(storage):
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    create_dora_again()
    pass_days(storage, 181)
    storage.run()
    row = rows()[DORA_PATH]
    assert row.state == "archived" and (storage.archives / row.archive).exists()
    assert "exists again" in row.problem
    assert states()[EVE_PATH] == "purged"


def test_kept_maildirs_and_archives_stay(storage):
    storage.run("scan")
    perform_service(set_leftover_maildirs, [rows()[DORA_PATH].pk], "kept", True)
    pass_days(storage, 31)
    storage.run()
    assert states() == {DORA_PATH: "listed", EVE_PATH: "archived"}
    perform_service(set_leftover_maildirs, [rows()[EVE_PATH].pk], "kept", True)
    pass_days(storage, 200)
    storage.run()
    assert states() == {DORA_PATH: "listed", EVE_PATH: "archived"}
    storage.run("release", str(rows()[EVE_PATH].pk), allow_root=None)
    storage.run()
    assert states()[EVE_PATH] == "purged"


def test_mail_that_still_arrives_starts_the_waiting_time_anew(storage):
    """Some other program has this mailbox."""
    storage.run("scan")
    pass_days(storage, 31)
    day = datetime.timedelta(days=1)
    storage.message(storage.root / DORA_PATH, "new/1790000000.M1P1.mail", "new\n", age=day)
    storage.run("archive")
    assert states()[DORA_PATH] == "listed"
    storage.run("scan")
    assert rows()[DORA_PATH].archive_due > timezone.now() + datetime.timedelta(days=28)


def test_a_maildir_is_restored_with_its_times_unless_something_is_there(storage):
    folder = storage.root / DORA_PATH
    before = read_tree(folder)
    times = {path.name: int(path.stat().st_mtime) for path in (folder / "cur").iterdir()}
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    key = str(rows()[DORA_PATH].pk)
    (storage.root / DORA_PATH).mkdir()
    with pytest.raises(CommandError, match="folder of this name already"):
        storage.run("restore", key)
    (storage.root / DORA_PATH).rmdir()
    assert storage.run("restore", key) == f"restore {DORA_PATH}: {rows()[DORA_PATH].archive}\n"
    assert read_tree(folder) == before
    assert {path.name: int(path.stat().st_mtime) for path in (folder / "cur").iterdir()} == times
    assert rows()[DORA_PATH].restored and rows()[DORA_PATH].state == "archived"
    storage.run("scan")  # without a mailbox it is found anew, and waits anew
    assert LeftoverMaildir.objects.filter(path=DORA_PATH, state="listed").count() == 1
    with pytest.raises(CommandError, match="no archive of this number"):
        storage.run("restore", str(LeftoverMaildir.objects.get(state="listed").pk))


@mailservers.needs_root
def test_a_restored_domain_folder_is_made_again(storage):
    """With the owners and modes that it and the maildir had, so that the mail server has access."""
    storage.root.chmod(0o750)
    (storage.root / EVE_PATH).chmod(0o711)
    os.chown(storage.root / EVE_PATH, 65534, 65533)
    storage.run("scan")
    pass_days(storage, 31)
    storage.run()
    (storage.root / "gone.example").rmdir()
    storage.run("restore", str(rows()[EVE_PATH].pk))
    found = (storage.root / EVE_PATH).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o711, 65534, 65533)
    assert stat.S_IMODE((storage.root / "gone.example").stat().st_mode) == 0o750


def test_bob_keeps_everything(storage):
    before = read_tree(storage.root / "example.org/bob")
    for _day in range(4):
        storage.run()
        pass_days(storage, 100)
    assert read_tree(storage.root / "example.org/bob") == before
    assert Mailbox.objects.get().pk == BOB
