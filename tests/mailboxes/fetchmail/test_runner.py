"""fetchmail on real servers: Dovecot has the mail, Postfix takes it, fetchmail moves it."""

import datetime
import ipaddress
import stat
import threading
import time
from pathlib import Path

import pytest
from django.utils import timezone

from mailboxes.fetchmail import runner
from mailboxes.fetchmail.runner import run_due_entries
from mailboxes.models import Fetchmail, FetchmailRun, Mailbox
from mailboxes.services.fetchmail import create_fetchmail_entries
from tests import mailservers
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import (
    build_mail,
    count_mails,
    create_mailboxes_of,
    perform_service,
    send,
    subjects,
)
from tests.mailservers import MailServer
from tests.servers import PATIENCE

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB, OLD = "bob@example.org", "bob@old.example"


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    with django_db_blocker.unblock(), MailServer() as server:
        mailservers.open_database(server, request)
        yield server.run()


@pytest.fixture
def server(running, transactional_db, settings):
    running.delete_mails()
    settings.MAILADMIN_FETCHMAIL = True
    settings.MAILADMIN_FETCHMAIL_SMTP = ("127.0.0.1", running.port)
    settings.MAILADMIN_FETCHMAIL_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    create_mailboxes_of(BOB, OLD)
    return running


def add_entry(server, protocol="IMAP", **values):
    """Create an entry that fetches mail of the old mailbox into the new one."""
    ports = server.dovecot.ports
    row = {
        "mailbox": Mailbox.objects.get(pk=BOB),
        "src_server": "127.0.0.1",
        "src_port": ports["imaps" if protocol == "IMAP" else "pop3s"],
        "src_user": OLD,
        "src_password": PASSWORD,
        "src_auth": "password",
        "protocol": protocol,
        "usessl": True,
        "active": True,
    }
    return perform_service(create_fetchmail_entries, [row | values])[0]


@pytest.mark.parametrize("protocol", ["IMAP", "POP3"])
def test_mail_is_moved_into_the_mailbox(server, protocol):
    entry = add_entry(server, protocol)
    send(server, OLD, text=build_mail("Old news", to=OLD))
    assert run_due_entries() == (1, 0)
    server.settle()
    assert subjects(server, BOB) == ["Old news"] and count_mails(server, OLD) == 0
    entry.refresh_from_db()
    assert "1 message" in entry.returned_text
    assert timezone.now() - entry.date < datetime.timedelta(minutes=1)


@pytest.mark.parametrize("protocol", ["IMAP", "POP3"])
def test_messages_that_stay_are_fetched_once_also_by_another_machine(server, protocol):
    add_entry(server, protocol, keep=True)
    send(server, OLD, text=build_mail("Once", to=OLD))
    for _run in range(3):  # each has a folder of its own
        assert run_due_entries(ignores_interval=True) == (1, 0)
    server.settle()
    assert subjects(server, BOB) == ["Once"] and count_mails(server, OLD) == 1


def test_an_entry_waits_for_its_interval(server):
    entry = add_entry(server, poll_time=10)
    assert run_due_entries() == (1, 0)
    assert run_due_entries() == (0, 0)
    earlier = timezone.now() - datetime.timedelta(minutes=11)
    Fetchmail.objects.filter(pk=entry.pk).update(date=earlier)
    assert run_due_entries() == (1, 0)


def test_a_wrong_password_is_reported_without_it(server):
    entry = add_entry(server, src_password="wrong-horse-41")
    assert run_due_entries() == (0, 1)
    entry.refresh_from_db()
    assert "Authorization failure" in entry.returned_text
    assert "wrong-horse" not in entry.returned_text
    assert FetchmailRun.objects.get().failures == 1
    run_due_entries(ignores_interval=True)
    assert FetchmailRun.objects.get().failures == 2


def test_a_certificate_that_cannot_be_verified_ends_the_run(server):
    entry = add_entry(server, sslcertck=True)
    send(server, OLD)
    assert run_due_entries() == (0, 1)
    entry.refresh_from_db()
    assert "certificate" in entry.returned_text.lower()
    assert count_mails(server, OLD) == 1


def test_inactive_entries_mailboxes_and_domains_are_left_out(server):
    entry = add_entry(server)
    for model, key in (
        (Fetchmail, entry.pk),
        (Mailbox, BOB),
        (type(entry.mailbox.domain), "example.org"),
    ):
        model.objects.filter(pk=key).update(active=False)
        assert run_due_entries() == (0, 0)
        model.objects.filter(pk=key).update(active=True)
    assert run_due_entries() == (1, 0)


def test_an_entry_is_run_by_one_machine_at_a_time(server, monkeypatch):
    entry = add_entry(server)
    [mine] = list(runner.iter_claimed(False))
    assert list(runner.iter_claimed(True)) == []
    runner.record_result(mine, runner.Result(0, "done"))
    assert [task.entry.pk for task in runner.iter_claimed(True)] == [entry.pk]


def test_a_lease_that_was_lost_changes_nothing(server):
    entry = add_entry(server)
    [mine] = list(runner.iter_claimed(False))
    FetchmailRun.objects.update(holder="another machine")
    runner.record_result(mine, runner.Result(0, "done"))
    entry.refresh_from_db()
    assert entry.returned_text is None


def test_the_lease_of_a_machine_that_died_ends(server):
    add_entry(server)
    assert len(list(runner.iter_claimed(False))) == 1
    FetchmailRun.objects.update(until=timezone.now() - datetime.timedelta(seconds=1))
    assert run_due_entries() == (1, 0)


def test_a_server_that_hangs_is_given_up(server, settings, tmp_path):
    program = tmp_path / "fetchmail"
    program.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    program.chmod(0o755)
    settings.MAILADMIN_FETCHMAIL_PROGRAM = str(program)
    settings.MAILADMIN_FETCHMAIL_SECONDS = 1
    entry = add_entry(server)
    start = time.monotonic()
    assert run_due_entries() == (0, 1)
    assert time.monotonic() - start < 20
    entry.refresh_from_db()
    assert "longer than 1 s" in entry.returned_text


def test_entries_are_run_at_the_same_time(server, settings, tmp_path):
    program = tmp_path / "fetchmail"
    program.write_text("#!/bin/sh\ncat > /dev/null\nsleep 2\n")
    program.chmod(0o755)
    settings.MAILADMIN_FETCHMAIL_PROGRAM = str(program)
    for number in range(4):
        add_entry(server, src_folder=str(number))
    start = time.monotonic()
    assert run_due_entries() == (4, 0)
    assert time.monotonic() - start < 7


def test_a_program_that_is_missing_is_named(server, settings):
    settings.MAILADMIN_FETCHMAIL_PROGRAM = "/nowhere/fetchmail"
    entry = add_entry(server)
    assert run_due_entries() == (0, 1)
    entry.refresh_from_db()
    assert "/nowhere/fetchmail cannot be started" in entry.returned_text


def test_the_password_is_in_no_argument_and_no_file_of_others(server, settings, tmp_path):
    """While fetchmail runs, look at its arguments and at what it has written."""
    seen = {}
    program = tmp_path / "fetchmail"
    program.write_text(
        f"#!/bin/sh\necho $$ > {tmp_path}/pid\npwd > {tmp_path}/folder\n"
        f"touch {tmp_path}/started\nwhile [ ! -e {tmp_path}/seen ]; do sleep 0.1; done\n"
        "cat > /dev/null\n"
    )
    program.chmod(0o755)
    settings.MAILADMIN_FETCHMAIL_PROGRAM = str(program)

    def look():
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        pid = (tmp_path / "pid").read_text().strip()
        seen["arguments"] = Path(f"/proc/{pid}/cmdline").read_text()
        seen["environment"] = Path(f"/proc/{pid}/environ").read_text()
        folder = (tmp_path / "folder").read_text().strip()
        seen["mode"] = stat.S_IMODE(Path(folder).stat().st_mode)
        seen["files"] = "".join(each.read_text() for each in Path(folder).iterdir())
        (tmp_path / "seen").touch()

    watcher = threading.Thread(target=look)
    watcher.start()
    add_entry(server)
    run_due_entries()
    watcher.join()
    assert PASSWORD not in seen["arguments"] + seen["environment"] + seen["files"]
    assert "MAILADMIN_SECRET_KEY" not in seen["environment"]
    assert seen["mode"] == 0o700
