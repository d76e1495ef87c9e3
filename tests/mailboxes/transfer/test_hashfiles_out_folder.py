"""Exports of map files: the folder."""

import shutil

import pytest
from django.core.management import CommandError

from domains.models import Domain
from mailboxes.models import Mailbox
from mailboxes.transfer.export import hashfiles
from mailboxes.transfer.export.disk import INDEX_FILENAME
from tests.mailboxes.transfer.exported import build_database
from tests.mailboxes.transfer.exported_maps import assert_same_answers, compiled, export

pytestmark = [pytest.mark.mailserver, pytest.mark.django_db]


def names_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_domain_has_its_file_and_all_files_are_private(folder):
    build_database(1, mirrors=False)
    export(folder)
    virtual = Domain.objects.filter(active=True, backupmx=False).values_list("pk", flat=True)
    files = {path.name for path in (folder / "virtual/mailbox").iterdir()}
    assert files == {*virtual, "domains"}
    assert {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()} == {
        "0o600"
    }


def test_above_a_hundred_domains_there_is_one_file(folder):
    domains = [Domain(domain=f"d{n}.example") for n in range(101)]
    Domain.objects.bulk_create(domains)
    for domain in domains[:3]:
        Mailbox.objects.create(
            username=f"bob@{domain.pk}",
            local_part="bob",
            domain=domain,
            maildir=f"{domain.pk}/bob/",
        )
    compiled(export(folder))
    assert {path.name for path in (folder / "virtual/mailbox").iterdir()} == {
        *("domains", "domains.db", "all", "all.db"),
    }
    assert_same_answers(folder)
    Domain.objects.filter(pk=domains[-1].pk).delete()
    export(folder)
    assert "virtual/mailbox/all" not in names_in(folder)
    assert "virtual/mailbox/d0.example" in names_in(folder)


def test_a_domain_named_like_a_compiled_map_gets_no_separate_file(folder):
    Domain.objects.bulk_create([Domain(domain="a.example"), Domain(domain="a.example.db")])
    compiled(export(folder))
    assert "virtual/mailbox/all" in names_in(folder)
    assert_same_answers(folder)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil.example", "../x.example"])
def test_no_domain_name_escapes_the_folder(folder, name):
    Domain.objects.create(domain=name)
    for arguments in ((), ("--domain", name)):
        export(folder, *arguments)
        assert "virtual/mailbox/all" in names_in(folder)
        assert {path.name for path in folder.parent.iterdir()} == {"out"}


def test_files_of_deleted_domains_are_removed_and_other_files_kept(folder):
    build_database(1, mirrors=False)
    export(folder)
    (folder / "virtual/mailbox/notes").write_text("mine")
    gone = Domain.objects.filter(active=True, backupmx=False).first().pk
    Domain.objects.filter(pk=gone).update(active=False)
    export(folder)
    assert f"virtual/mailbox/{gone}" not in names_in(folder)
    assert (folder / "virtual/mailbox/notes").read_text() == "mine"


def test_an_unrelated_folder_is_not_written_to(folder):
    folder.mkdir()
    (folder / "main.cf").write_text("mine")
    with pytest.raises(CommandError, match="was not created by an export"):
        export(folder)
    assert names_in(folder) == {"main.cf"}
    assert (folder / "main.cf").read_text() == "mine"


@pytest.mark.parametrize("name", ["virtual", "virtual/mailbox", "transport"])
def test_no_link_is_followed_out_of_the_folder(folder, tmp_path, name):
    build_database(1, mirrors=False)
    export(folder)
    outside = tmp_path / "outside"
    shutil.move(folder / name, outside)
    before = outside.read_text() if outside.is_file() else names_in(outside)
    (folder / name).symlink_to(outside)
    Domain.objects.create(domain="new.example")
    with pytest.raises(CommandError):
        export(folder)
    assert before == (outside.read_text() if outside.is_file() else names_in(outside))


def test_names_in_the_marker_file_cannot_escape_the_folder(folder, tmp_path):
    export(folder)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    with (folder / INDEX_FILENAME).open("a") as mark:
        mark.write(f"../victim\n{victim}\n")
    export(folder)
    assert victim.read_text() == "mine"


def test_a_failed_export_keeps_the_previous_one(folder, monkeypatch):
    build_database(1, mirrors=False)
    export(folder)
    before = {name: (folder / name).read_text() for name in names_in(folder)}
    Domain.objects.create(domain="new.example")
    monkeypatch.setattr(hashfiles, "render_main_cf", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(folder)
    assert {name: (folder / name).read_text() for name in names_in(folder)} == before
