"""Which of the sign-ins that Dovecot records are kept."""

import datetime
import io
import time

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from domains.models import Admin
from mailboxes.models import LastLogin, Mailbox
from mailboxes.services.login_purge import DAY, purge_last_logins
from tests.base import BACKENDS, build_world

pytestmark = pytest.mark.django_db
NOW = int(time.time())


@pytest.fixture(autouse=True)
def world():
    build_world()


def record(days, address="192.0.2.1", protocol="imap", app_password=0, key="bob@example.org"):
    return LastLogin.objects.create(
        mailbox_id=key,
        protocol=protocol,
        app_password=app_password,
        address=address,
        at=NOW - days * DAY,
    )


def kept():
    return {
        (row.protocol, row.app_password, row.address)
        for row in LastLogin.objects.filter(mailbox="bob@example.org")
    }


def test_of_one_protocol_and_password_the_last_sign_in_stays(settings):
    record(5, "192.0.2.1")
    record(4, "192.0.2.2")
    record(3, "192.0.2.3", protocol="pop3")
    record(8, "192.0.2.4", app_password=7)
    record(0, "192.0.2.5", key="carol@example.com")
    purge_last_logins()
    assert kept() == {
        ("imap", 0, "192.0.2.2"),
        ("pop3", 0, "192.0.2.3"),
        ("imap", 7, "192.0.2.4"),
    }


def test_todays_sign_ins_stay_from_all_addresses():
    record(1, "192.0.2.1")
    record(0, "192.0.2.2")
    purge_last_logins()
    assert len(kept()) == 2


def test_old_sign_ins_are_deleted(settings):
    settings.MAILADMIN_LAST_LOGIN_DAYS = 30
    record(29)
    record(31, protocol="pop3")
    purge_last_logins()
    assert kept() == {("imap", 0, "192.0.2.1")}


def test_where_nothing_is_recorded_all_is_deleted(settings):
    settings.MAILADMIN_LAST_LOGIN_DAYS = 0
    record(1)
    purge_last_logins()
    assert kept() == set()


def test_a_deleted_mailbox_takes_its_sign_ins_along():
    record(1)
    LastLogin.objects.get(mailbox="bob@example.org").mailbox.delete()
    assert kept() == set()


def test_very_many_are_deleted_in_batches():
    """SQLite takes no condition of a thousand parts."""
    LastLogin.objects.bulk_create(
        LastLogin(
            mailbox_id="bob@example.org",
            protocol="imap",
            address=f"2001:db8::{number:x}",
            at=number,
        )
        for number in range(1500)
    )
    purge_last_logins()
    assert kept() == set()


def unused(client, days):
    page = client.get("/mailboxes/", {"unused": days}).content.decode()
    return {name for name in ("bob@example.org", "carol@example.com") if f'"{name}"' in page}


def listed(*words):
    """Return the addresses that the command lists."""
    call_command("mailbox", "list", *words, stdout=(out := io.StringIO()))
    return [line.split("\t")[0] for line in out.getvalue().splitlines()[1:]]


def test_mailboxes_are_filtered_by_their_last_sign_in(client, settings):
    Mailbox.objects.update(created=timezone.now() - datetime.timedelta(days=200))
    client.force_login(Admin.objects.get(pk="root@example.net"), backend=BACKENDS[Admin])
    record(100)
    record(40, protocol="pop3")
    assert unused(client, "30") == {"bob@example.org", "carol@example.com"}
    assert unused(client, "90") == {"carol@example.com"}
    assert unused(client, "365") == set()  # they are not that old
    assert unused(client, "x") == unused(client, "0") == unused(client, "99999") == set()
    assert listed("--unused", "90") == ["carol@example.com"]
    assert listed("--unused", "90", "--domain", "example.org") == []
    for days in ("x", "0"):
        with pytest.raises(CommandError) as refused:
            listed("--unused", days)
        assert (refused.value.returncode, str(refused.value)[:7]) == (2, "unused:")
    settings.MAILADMIN_LAST_LOGIN_DAYS = 0
    assert unused(client, "30") == set()
    assert "filter-unused" not in client.get("/mailboxes/").content.decode()
