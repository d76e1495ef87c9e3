"""Backups: what is in them, that they can be restored, and what is refused."""

import gzip
import io
import json
import stat
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from domains.models import Admin, DkimKey, Domain
from mailadmin.backup.creation import iter_backup
from mailadmin.backup.restoration import restore_backup
from mailadmin.backup.tables import iter_tables
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Alias, Fetchmail, Mailbox, Usage, Vacation
from mailboxes.services.mailboxes import edit_mailbox
from tests.base import BACKENDS, PASSWORD, build_world, give_proof

pytestmark = pytest.mark.django_db(transaction=True)
BOB = "bob@example.org"


@pytest.fixture
def world():
    """A database with rows in many tables."""
    build_world()
    bob = Mailbox.objects.get(pk=BOB)
    perform(Actor.console(), edit_mailbox, BOB, {"name": "Bob Ünal 🐎"})
    Vacation.objects.create(mailbox=bob, domain_id="example.org", subject="Away", body="a\nb\t\\")
    Usage.objects.create(mailbox=bob, bytes=2**40, messages=7)
    Fetchmail.objects.create(
        mailbox=bob, domain_id="example.org", src_server="imap.example.net", src_password="c2Vj"
    )
    DkimKey.objects.create(domain_name_id="example.org", private_key="-----BEGIN x")
    Mailbox.objects.filter(pk=BOB).update(totp_secret="JBSWY3DPEHPK3PXP")


def make(has_secrets=True):
    return b"".join(iter_backup(has_secrets))


def lines_of(data):
    return [json.loads(line) for line in gzip.decompress(data).splitlines()]


def read_all():
    """Return the rows of all tables of a backup."""
    found = {}
    for table in iter_tables():
        with connection.cursor() as cursor:
            names = ", ".join(map(connection.ops.quote_name, table.columns))
            cursor.execute(f"SELECT {names} FROM {connection.ops.quote_name(table.name)}")
            found[table.name] = sorted(map(str, cursor.fetchall()))
    return found


def empty_all():
    for table in iter_tables():
        with connection.cursor() as cursor, connection.constraint_checks_disabled():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table.name)}")


def restore(data):
    return restore_backup(io.BytesIO(data))


def test_everything_comes_back(world):
    before, data = read_all(), make()
    assert sum(map(bool, before.values())) > 10
    empty_all()
    restored = restore(data)
    assert restored.rows == sum(map(len, before.values()))
    assert read_all() == before
    assert Mailbox.objects.get(pk=BOB).check_password(PASSWORD)
    assert Log.objects.exists() and Change.objects.exists()


def test_secrets_can_be_left_out(world):
    text = gzip.decompress(make(has_secrets=False)).decode()
    for person in (*Admin.objects.all(), *Mailbox.objects.all()):
        assert person.password not in text
    for secret in ("JBSWY3DPEHPK3PXP", "-----BEGIN", "c2Vj"):
        assert secret not in text
    empty_all()
    restore(make(has_secrets=False))
    restore_of = gzip.compress(text.encode())
    empty_all()
    restore(restore_of)
    bob = Mailbox.objects.get(pk=BOB)
    assert (bob.password, bob.totp_secret, bob.name) == ("", None, "Bob Ünal 🐎")


def test_a_database_with_rows_is_left_alone(world):
    before, data = read_all(), make()
    with pytest.raises(ValidationError, match="is not empty"):
        restore(data)
    assert read_all() == before


def test_columns_of_an_operator_are_kept(world):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE mailbox ADD COLUMN x_room VARCHAR(20)")
        try:
            cursor.execute("UPDATE mailbox SET x_room = 'B 12' WHERE username = %s", [BOB])
            data = make()
            empty_all()
            restore(data)
            cursor.execute("SELECT x_room FROM mailbox WHERE username = %s", [BOB])
            assert cursor.fetchone() == ("B 12",)
            empty_all()
        finally:
            cursor.execute("ALTER TABLE mailbox DROP COLUMN x_room")
    with pytest.raises(ValidationError, match="has no column x_room"):
        restore(data)
    assert not Domain.objects.exists()


def damaged():
    data = make()
    lines = gzip.decompress(data).splitlines(keepends=True)
    yield b""
    yield b"not a backup"
    yield data[:-20]
    yield data[: len(data) // 2]
    yield gzip.compress(b"".join(lines[:-1]))
    row = next(number for number, line in enumerate(lines) if line.startswith(b"["))
    yield gzip.compress(b"".join(lines[:row] + lines[row + 1 :]))
    yield gzip.compress(b"{}\n")
    yield gzip.compress(lines[0].replace(b'"version":1', b'"version":99'))
    yield gzip.compress(lines[0] + b'{"table":"nothing","columns":["a"]}\n[1]\n')
    yield gzip.compress(lines[0] + b'{"table":"mailbox","columns":["username"]}\n[1,2]\n')


def test_a_damaged_file_changes_nothing(world):
    files = list(damaged())
    empty_all()
    for data in files:
        with pytest.raises(ValidationError):
            restore(data)
        assert not Domain.objects.exists() and not Alias.objects.exists()


def sign_in(client, person):
    client.force_login(person, backend=BACKENDS[type(person)])


def test_the_page(world, client):
    sign_in(client, Admin.objects.get(pk="root@example.net"))
    assert client.get("/backup/").status_code == 302  # to the page that asks for a proof
    give_proof(client)
    assert client.get("/backup/").status_code == 200
    for data, has_secrets in (({"has_secrets": "on"}, True), ({}, False)):
        response = client.post("/backup/", data)
        assert ".jsonl.gz" in response["Content-Disposition"]
        lines = lines_of(b"".join(response))
        assert lines[0]["has_secrets"] is has_secrets
        assert lines[-1]["rows"] == sum(isinstance(line, list) for line in lines)
    for person in (Admin.objects.get(pk="alice@example.org"), Mailbox.objects.get(pk=BOB)):
        sign_in(client, person)
        give_proof(client)
        assert client.post("/backup/").status_code == 403


def test_the_commands(world, tmp_path):
    path, output = tmp_path / "panel.jsonl.gz", io.StringIO()
    call_command("backup", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines_of(path.read_bytes())[0]["has_secrets"] is True
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", str(path))
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore", str(path))
    empty_all()
    call_command("restore", str(path), stdout=output)
    assert "Restored" in output.getvalue()
    assert Mailbox.objects.filter(pk=BOB).exists()
    assert [each.name for each in tmp_path.iterdir()] == ["panel.jsonl.gz"]
    with pytest.raises(CommandError, match="No such file"):
        call_command("backup", str(Path(tmp_path, "nowhere", "x")))
    with pytest.raises(CommandError, match="No such file"):
        call_command("restore", str(tmp_path / "nothing"))
