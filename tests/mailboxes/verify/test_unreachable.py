"""`mailserver verify` without a mail server, or with one that does not answer."""

import io
import shutil

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from mailboxes.models import Verification
from tests import mailservers
from tests.mailboxes.verify.verifying import verify

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


def test_without_a_mail_server_the_panels_queries_are_verified(server, tmp_path):
    out = io.StringIO()
    places = [f"--postfix={tmp_path}/none", f"--dovecot={tmp_path}/none"]
    call_command("mailserver", "verify", "--all", *places, stdout=out)
    output = out.getvalue().splitlines()
    assert output[0] == f"Not checked: Postfix: {tmp_path}/none/main.cf does not exist"
    assert output[1] == f"Not checked: Dovecot: {tmp_path}/none/dovecot.conf does not exist"
    assert "Dovecot" in Verification.objects.get().trouble


def test_a_query_that_cannot_run_is_an_error_without_a_mail_server(server, tmp_path, monkeypatch):
    monkeypatch.setattr("mailboxes.postfix.maps.NOT_ALL_ROW_CONDITION", "domain.no_such_column = 1")
    places = [f"--postfix={tmp_path}/none", f"--dovecot={tmp_path}/none"]
    with pytest.raises(CommandError, match="no_such_column"):
        call_command("mailserver", "verify", "--all", *places, stdout=io.StringIO())


def test_a_database_unreachable_for_postfix_is_reported(server, changed):
    if connection.vendor == "mysql":
        changed("etc/mailadmin/virtual_alias.cf", "password = testpostfix", "password = s3cret")
    else:
        changed("etc/mailadmin/virtual_alias.cf", "dbpath = ", "dbpath = /nowhere")
    output, status = verify(server)
    assert status == 1
    [line] = [line for line in output.splitlines() if line.startswith("Not checked: Postfix: ")]
    assert "virtual_alias.cf" in output
    assert "s3cret" not in output
    assert "Not checked: Dovecot" not in output


def test_a_stopped_postfix_is_reported(server, tmp_path):
    copied = tmp_path / "postfix"
    shutil.copytree(server.config, copied)
    (tmp_path / "queue").mkdir()
    path = copied / "main.cf"
    path.write_text(f"{path.read_text()}\nqueue_directory = {tmp_path}/queue\n")
    out = io.StringIO()
    places = [f"--postfix={copied}", f"--dovecot={server.folder}/dovecot"]
    with pytest.raises(CommandError, match="Postfix") as error:
        call_command("mailserver", "verify", "--all", *places, stdout=out)
    assert error.value.returncode == 1
    assert "Not checked: Postfix: " in out.getvalue()
    assert "Not checked: Dovecot: " not in out.getvalue()


def test_a_stopped_dovecot_is_reported(server, tmp_path):
    copied = tmp_path / "dovecot"
    shutil.copytree(server.folder / "dovecot", copied)
    path = copied / "dovecot.conf"
    path.write_text(f"{path.read_text()}\nbase_dir = {tmp_path}/run\n")
    out = io.StringIO()
    places = [f"--postfix={server.config}", f"--dovecot={copied}"]
    with pytest.raises(CommandError, match="Dovecot") as error:
        call_command("mailserver", "verify", "--all", *places, stdout=out)
    assert error.value.returncode == 1
    assert "Not checked: Dovecot: " in out.getvalue()
    assert "Not checked: Postfix: " not in out.getvalue()
