"""Maildirs that are not as they should be: nothing is deleted on doubt."""

import os
import socket
import subprocess

import pytest
from django.core.management import CommandError

from mailboxes.maildirs import archives, archiving
from mailboxes.maildirs.tree import remove_tree
from mailboxes.models import LeftoverMaildir, Mailbox
from tests.mailboxes.maildirs.storage import (
    LONG_AGO,
    pass_days,
    read_archive,
    read_tree,
    rows,
    states,
)

DORA_PATH, EVE_PATH = "example.org/dora", "gone.example/eve"


def make_due(storage):
    storage.run("scan")
    pass_days(storage, 31)


def test_folders_of_another_shape_or_depth_are_not_touched(storage):
    (storage.root / "example.org/no-maildir/cur").mkdir(parents=True)
    storage.maildir("", path="deep/er/than")
    storage.maildir("", path="top.example")
    (storage.root / "example.org/linked").symlink_to(storage.root / DORA_PATH)
    (storage.root / "linked.example").symlink_to(storage.root / "gone.example")
    (storage.root / "example.org/file").write_text("")
    before = read_tree(storage.root)
    storage.run("scan")
    assert set(rows()) == {DORA_PATH, EVE_PATH}
    pass_days(storage, 31)
    storage.run()
    removed = {os.fsencode(path) for path in (DORA_PATH, EVE_PATH)}
    kept = {
        path: content
        for path, content in before.items()
        if not any(path == each or path.startswith(each + b"/") for each in removed)
    }
    assert read_tree(storage.root) == kept


def test_names_of_any_bytes_and_length_survive(storage):
    folder = os.fsencode(storage.maildir("", path="example.org/o\udcffdd\nname"))
    names = [b"b\xf6b", b"line\nbreak", b"x" * 255, "\u202e".encode(), b" ", b"-rf"]
    for name in names:
        with open(folder + b"/cur/" + name, "wb") as file:
            file.write(name * 1000)
        os.mkdir(folder + b"/." + name[:250])
    deep = folder
    for _level in range(20):
        deep += b"/" + b"d" * 100
        os.mkdir(deep)
    storage.age(storage.root)
    path = os.fsdecode(folder).removeprefix(f"{storage.root}/")
    before = read_tree(storage.root / path)
    make_due(storage)
    output = storage.run()
    assert "example.org/o\\xffdd\\x0aname" in output and output.isascii()
    row = rows()["example.org/o\\xffdd\\x0aname"]
    assert row.state == "archived" and read_archive(storage.archives / row.archive) == before
    storage.run("restore", str(row.pk))
    assert read_tree(storage.root / path) == before


def test_a_name_of_255_bytes_is_archived(storage):
    storage.maildir("", path="example.org/" + "l" * 255)
    make_due(storage)
    storage.run()
    assert states()["example.org/" + "l" * 255] == "archived"


def test_two_mailboxes_that_share_a_maildir_keep_it(storage):
    Mailbox.objects.filter(pk="bob@example.org").update(maildir="gone.example/eve/")
    storage.run("scan")
    assert set(rows()) == {DORA_PATH}  # that of bob's address is his as well


def test_a_domain_of_another_case_is_the_same(storage):
    storage.maildir("", path="Example.ORG/BOB")
    storage.run("scan")
    assert set(rows()) == {DORA_PATH, EVE_PATH}


def test_maildirs_in_a_folder_of_their_own_are_archived_with_it(storage, settings):
    settings.MAILADMIN_MAILDIRS_PATH = "{domain}/{local_part}/Maildir"
    storage.maildir("", path="example.org/fred/Maildir")
    (storage.root / "example.org/fred/sieve").write_text("keep;")
    storage.age(storage.root)
    before = read_tree(storage.root / "example.org/fred")
    make_due(storage)
    storage.run()
    assert states() == {"example.org/fred": "archived"}
    assert read_archive(storage.archives / rows()["example.org/fred"].archive) == before
    assert (storage.root / DORA_PATH).is_dir()


def test_a_socket_or_pipe_stops_it(storage):
    os.mkfifo(storage.root / DORA_PATH / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(storage.root / EVE_PATH, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    storage.age(storage.root)
    with pytest.raises(CommandError, match="2 maildirs have problems"):
        storage.run("scan")
    assert "pipe is neither a file" in rows()[DORA_PATH].problem
    pass_days(storage, 31)
    with pytest.raises(CommandError):
        storage.run()
    assert set(states().values()) == {"listed"} and not storage.archive_files()


def test_symbolic_links_are_kept_as_links(storage):
    outside = storage.root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not mail")
    (storage.root / DORA_PATH / "cur/link").symlink_to(outside / "secret")
    (storage.root / DORA_PATH / ".Linked").symlink_to(outside)
    storage.age(storage.root)
    make_due(storage)
    storage.run()
    found = read_archive(storage.archives / rows()[DORA_PATH].archive)
    assert found[b"cur/link"] == str(outside / "secret") and b".Linked/secret" not in found
    assert (outside / "secret").read_text() == "not mail"
    storage.run("restore", str(rows()[DORA_PATH].pk))
    assert (storage.root / DORA_PATH / ".Linked").is_symlink()


def change_during(monkeypatch, name, change):
    """Do something after this function of `archiving` has been called."""
    real = getattr(archiving, name)

    def changed(*arguments, **options):
        result = real(*arguments, **options)
        change()
        return result

    monkeypatch.setattr(archiving, name, changed)


@pytest.mark.parametrize("step", ["write_archive", "compare_archive", "begin_removal"])
def test_mail_that_arrives_while_it_is_archived_is_kept(storage, monkeypatch, step):
    make_due(storage)
    folder = storage.root / DORA_PATH
    new = folder / "new/1790000000.M1P1.mail"
    change_during(monkeypatch, step, lambda: folder.exists() and new.write_text("late\n"))
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("archive")
    assert new.read_text() == "late\n" and (folder / "cur").is_dir()
    assert states()[DORA_PATH] == "listed"
    assert storage.archive_files() == [rows()[EVE_PATH].archive]
    assert "was changed" in rows()[DORA_PATH].problem


def test_mail_that_arrives_as_the_folder_is_renamed_is_put_back(storage, monkeypatch):
    make_due(storage)
    folder = storage.root / DORA_PATH
    trash = folder.parent / f".mailadmin-removed-{rows()[DORA_PATH].pk}"
    change_during(
        monkeypatch,
        "rename_synced",
        lambda: trash.exists() and (trash / "new/late").write_text("late\n"),
    )
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("archive")
    assert (folder / "new/late").read_text() == "late\n" and not trash.exists()
    assert states()[DORA_PATH] == "listed"


def test_a_folder_that_is_made_again_at_that_moment_is_kept_beside_the_old_one(
    storage, monkeypatch
):
    make_due(storage)
    folder = storage.root / DORA_PATH
    trash = folder.parent / f".mailadmin-removed-{rows()[DORA_PATH].pk}"

    def deliver():
        if trash.exists() and not folder.exists():
            (trash / "new/late").write_text("late\n")
            folder.mkdir()

    change_during(monkeypatch, "rename_synced", deliver)
    with pytest.raises(CommandError):
        storage.run("archive")
    assert (trash / "new/late").exists() and folder.is_dir()
    assert "both are kept" in rows()[DORA_PATH].problem
    monkeypatch.undo()
    with pytest.raises(CommandError):
        storage.run()
    assert (trash / "new/late").exists()


def test_a_folder_left_by_an_interrupted_run_is_reported(storage):
    storage.maildir("", path="example.org/.mailadmin-removed-77")
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("scan")
    assert (storage.root / "example.org/.mailadmin-removed-77/cur").is_dir()


def test_an_archive_that_cannot_be_written_leaves_the_folder(storage, monkeypatch):
    make_due(storage)
    before = read_tree(storage.root)

    def fill_disk(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives.tarfile.TarFile, "addfile", fill_disk)
    with pytest.raises(CommandError, match="2 maildirs have problems"):
        storage.run()
    assert "No space left" in rows()[DORA_PATH].problem
    assert read_tree(storage.root) == before and storage.archive_files() == []
    monkeypatch.undo()
    storage.run()
    assert set(states().values()) == {"archived"}


def test_an_archive_that_is_not_what_was_written_leaves_the_folder(storage, monkeypatch):
    make_due(storage)
    real = archiving.write_archive

    def damage(folder, name, *arguments):
        real(folder, name, *arguments)
        file = storage.archives / f"{name}.partial"
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)

    monkeypatch.setattr(archiving, "write_archive", damage)
    with pytest.raises(CommandError):
        storage.run("archive")
    assert (storage.root / DORA_PATH / "cur").is_dir() and storage.archive_files() == []
    assert rows()[DORA_PATH].state == "listed" and rows()[DORA_PATH].problem


def test_an_archive_without_one_of_the_messages_is_noticed(storage, monkeypatch):
    make_due(storage)
    real, skipped = archives.add_entry, []

    def skip_one(tar, entry):
        if entry.is_file and not skipped:
            skipped.append(entry.path)
        else:
            real(tar, entry)

    monkeypatch.setattr(archives, "add_entry", skip_one)
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("archive")
    assert (storage.root / DORA_PATH / skipped[0]).exists()
    assert states() == {DORA_PATH: "listed", EVE_PATH: "archived"}


def test_a_maildir_that_is_kept_while_it_is_archived_stays(storage, monkeypatch):
    make_due(storage)

    def keep():
        LeftoverMaildir.objects.filter(path=DORA_PATH).update(kept=True)

    change_during(monkeypatch, "write_archive", keep)
    storage.run("archive")
    assert (storage.root / DORA_PATH / "cur").is_dir()
    assert states() == {DORA_PATH: "listed", EVE_PATH: "archived"}
    assert storage.archive_files() == [rows()[EVE_PATH].archive]


@pytest.mark.parametrize("end", [-1, -9, 100])
def test_a_truncated_archive_is_noticed(storage, end):
    make_due(storage)
    storage.run()
    file = storage.archives / rows()[DORA_PATH].archive
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(CommandError, match="damaged"):
        storage.run("restore", str(rows()[DORA_PATH].pk))
    assert not (storage.root / DORA_PATH).exists() and file.exists()


def test_an_archive_that_was_moved_away_is_a_problem_unless_forced(storage):
    make_due(storage)
    storage.run()
    (storage.archives / rows()[DORA_PATH].archive).unlink()
    pass_days(storage, 181)
    with pytest.raises(CommandError, match="has a problem"):
        storage.run("purge")
    assert states() == {DORA_PATH: "archived", EVE_PATH: "purged"}
    storage.run("purge", force=True)
    assert states()[DORA_PATH] == "purged"


def test_the_row_of_a_deleted_archive_is_closed_before_its_time_if_forced(storage):
    """Or a run would be refused each night, if it was the only archive."""
    make_due(storage)
    storage.run()
    for name in storage.archive_files():
        (storage.archives / name).unlink()
    with pytest.raises(CommandError, match="is it mounted"):
        storage.run()
    LeftoverMaildir.objects.filter(path=EVE_PATH).update(kept=True)
    storage.run("purge", force=True)
    assert states() == {DORA_PATH: "purged", EVE_PATH: "archived"}


def test_hard_links_are_archived_and_removed(storage):
    folder = storage.root / DORA_PATH
    message = next((folder / "cur").iterdir())
    os.link(message, folder / ".Sent/cur/copy")
    storage.age(folder)
    before = read_tree(folder)
    make_due(storage)
    storage.run()
    assert read_archive(storage.archives / rows()[DORA_PATH].archive) == before


def test_another_file_system_inside_is_not_entered(storage, tmp_path):
    """As root, which can mount one."""
    place = storage.root / DORA_PATH / "mounted"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (place / "other").write_text("of another file system")
        with pytest.raises(CommandError, match="has a problem"):
            storage.run("scan")
        assert "another file system" in rows()[DORA_PATH].problem
        pass_days(storage, 1000)
        with pytest.raises(CommandError):
            storage.run()
        assert (place / "other").exists() and rows()[DORA_PATH].state == "listed"
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_links_are_never_followed_where_a_folder_was(storage):
    """Between listing and deleting, somebody may put a link where a folder was."""
    target = storage.root / "example.org/bob"
    (storage.root / "example.org/trap").symlink_to(target)
    parent = os.open(storage.root / "example.org", os.O_RDONLY)
    device = os.fstat(parent).st_dev
    with pytest.raises(NotADirectoryError):
        remove_tree("trap", parent, device, lambda: None)
    os.close(parent)
    assert (target / "cur").is_dir()


def test_a_maildir_that_is_gone_is_forgotten(storage):
    storage.run("scan")
    subprocess.run(["rm", "-r", storage.root / DORA_PATH], check=True)
    assert f"forget {DORA_PATH}: it is gone" in storage.run("scan")
    assert not LeftoverMaildir.objects.filter(path=DORA_PATH).exists()


def test_a_time_in_the_future_does_not_keep_it_forever(storage):
    storage.age(storage.root / DORA_PATH, -LONG_AGO)
    make_due(storage)
    storage.run()
    assert states()[DORA_PATH] == "archived"
