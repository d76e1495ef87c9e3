"""Exported map files: postmap gives the same results as the panel's queries."""

import pytest
from django.core.management import call_command

from domains.models import AliasDomain, Domain
from mailadmin import passwords
from mailboxes.models import Alias, Mailbox
from mailboxes.models.goto import split_goto
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.transfer.export.disk import INDEX_FILENAME
from tests.mailboxes.transfer.exported import build_database, delete_everything
from tests.mailboxes.transfer.exported_maps import (
    answers_of_panel,
    assert_same_answers,
    compiled,
    export,
    look_up_with_postmap,
    lookup_keys,
    plain_world,
)
from tests.mailboxes.transfer.reading import Read
from tests.mailboxes.transfer.test_hashfiles_out_folder import names_in

pytestmark = [pytest.mark.mailserver, pytest.mark.django_db]


@pytest.mark.parametrize("seed", range(4))
def test_postmap_gives_the_same_answers_as_the_panels_queries(folder, seed):
    build_database(seed, mailboxes=5)
    ours = assert_same_answers(compiled(export(folder)))
    asked = {parameter for parameter, _number, _key in ours}
    assert asked == {query.parameter for query in build_postfix_maps()} - {""}


def test_rows_of_an_alias_domain_override_those_of_its_target(folder):
    build_database(0)
    mirror = AliasDomain.objects.order_by("pk").first()
    Domain.objects.filter(pk__in=[mirror.pk, mirror.target_domain_id]).update(active=True)
    compiled(export(folder))
    said = look_up_with_postmap(
        folder, f"hash:{folder}/virtual/alias", [f"info@{mirror.pk}", f"list@{mirror.pk}"]
    )
    assert said[f"info@{mirror.pk}"] == "own@far.test"
    assert len(split_goto(said[f"list@{mirror.pk}"])) == 300


def entries_of(source):
    return Read("hashfiles", source)


def test_map_files_round_trip(folder):
    plain_world()
    read = entries_of(export(folder))
    assert set(read.values("domain", "domain")) == set(Domain.objects.values_list("pk", flat=True))
    mailboxes = read.values("mailbox", "username")
    for row in Mailbox.objects.all():
        values = mailboxes.pop(row.pk)
        assert (values["maildir"], values["quota_bytes"]) == (row.maildir, "5000")
        assert same_password(values["password_hash"], row.password)
    assert mailboxes == {}
    aliases = {
        alias.pk: split_goto(alias.goto) for alias in Alias.objects.all() if alias.goto != alias.pk
    }
    assert read.goto() == aliases
    assert not any(entry.error for entry in read.entries)


def same_password(round_tripped, stored):
    """Return whether the password is unchanged, or only got its scheme prefix."""
    if stored.startswith("{PLAIN}"):
        return passwords.verify(stored.removeprefix("{PLAIN}"), round_tripped)
    return round_tripped.endswith(stored)


def test_a_round_trip_gives_the_same_answers(folder, tmp_path):
    """Export a database to files, import them into another database."""
    plain_world()
    keys = lookup_keys()
    before = answers_of_panel(keys)
    export(folder)
    delete_everything()
    arguments = ("--source", str(folder), "--apply", "--rejects", str(tmp_path / "rejects"))
    call_command("import", "--from", "hashfiles", *arguments)
    after = answers_of_panel(keys)
    assert {k: v for k, v in after.items() if before.get(k) != v} == {}
    assert set(before) == set(after)


# Odd rows


def test_rows_that_map_files_cannot_express_are_reported(folder, capsys):
    domain = Domain.objects.create(domain="example.org")
    for local_part in ("#bob", "a b", '"q"', "fine"):
        Alias.objects.create(
            address=f"{local_part}@example.org", goto="x@far.test\n, y@far.test", domain=domain
        )
    compiled(export(folder))
    errors = capsys.readouterr().err
    assert "#bob@example.org" in errors
    assert "fine" not in errors
    said = look_up_with_postmap(folder, f"hash:{folder}/virtual/alias", ["fine@example.org"])
    assert split_goto(said["fine@example.org"]) == ["x@far.test", "y@far.test"]


def test_one_domain_alone(folder):
    names = build_database(2, mirrors=True)
    Domain.objects.update(active=True, backupmx=False)
    AliasDomain.objects.update(active=True)
    mirror = AliasDomain.objects.order_by("pk").first().pk
    export(folder, "--domain", mirror)
    text = "".join(
        (folder / name).read_text() for name in names_in(folder) if name != INDEX_FILENAME
    )
    keys = {line.split("\t")[0] for line in text.splitlines() if "\t" in line and line[0] != "#"}
    assert f"list@{mirror}" in keys
    assert {key.rpartition("@")[2].lstrip(".") for key in keys} == {mirror}
    assert not any(name in keys for name in names)
