"""Effects of the generated Dovecot configuration, the same with 2.3 and 2.4."""

import re
import smtplib

import pytest
from django.core.management import call_command

from mailboxes.models import Mailbox, Usage
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailservers import MailServer

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB = "bob@example.org"
MB = 1_024_000  # the panel's


@pytest.fixture(scope="module")
def transactional_db(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def server(transactional_db, request):
    with MailServer() as server:
        mailservers.open_database(server, request)
        build_world()
        Mailbox.objects.filter(pk=BOB).update(quota=MB)
        yield server.run()
    call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)


@pytest.fixture
def imap(server):
    with server.dovecot.imap() as imap:
        imap.login(BOB, PASSWORD)
        yield imap


def lmtp(server):
    client = smtplib.LMTP(str(server.folder / "queue/private/dovecot-lmtp"), 0, "mail.test")
    client.ehlo()
    client.mail("")
    return client


def test_the_usual_folders_exist_with_their_special_use(imap):
    """namespace inbox { mailbox … }"""
    listed = b" ".join(imap.list()[1]).decode()
    for name in ("Drafts", "Junk", "Sent", "Trash"):
        assert re.search(rf'\\{name}\) "\." {name}\b', listed)
    subscribed = b" ".join(imap.lsub()[1]).decode()
    assert all(name in subscribed for name in ("Drafts", "Junk", "Sent", "Trash"))


def test_the_inbox_is_the_folder_itself(server, imap):
    """mail_location; mail_path and mail_inbox_path"""
    imap.append("INBOX", None, None, b"Subject: one\n\nx\n")
    imap.append("Sent", None, None, b"Subject: two\n\nx\n")
    home = server.folder / "mail/example.org/bob"
    assert len([*home.glob("cur/*"), *home.glob("new/*")]) == 1
    assert len([*home.glob(".Sent/cur/*"), *home.glob(".Sent/new/*")]) == 1


def test_quota_and_usage_are_reported_by_imap_and_stored_for_the_panel(server, imap):
    """imap_quota, quota_clone and the dictionary"""
    imap.append("INBOX", None, None, b"Subject: three\n\n" + b"x" * 2000 + b"\n")
    reply = b" ".join(part for parts in imap.getquotaroot("INBOX")[1] for part in parts)
    used, limit = re.search(rb"STORAGE (\d+) (\d+)", reply).groups()
    assert int(limit) == MB // 1024
    messages = int(imap.status("INBOX", "(MESSAGES)")[1][0].split()[-1].strip(b")"))
    messages += int(imap.status("Sent", "(MESSAGES)")[1][0].split()[-1].strip(b")"))
    server.wait_until(lambda: Usage.objects.get(pk=BOB).messages == messages)
    usage = Usage.objects.get(pk=BOB)
    assert abs(usage.bytes / 1024 - int(used)) <= 1


def test_a_full_mailbox_is_refused_at_rcpt(server, imap):
    """lmtp_rcpt_check_quota"""
    full = b"Subject: full\n\n" + (b"x" * 998 + b"\n") * (MB // 1000 + 100)
    assert imap.append("Trash", None, None, full[: MB // 2])[0] == "OK"
    with lmtp(server) as client:
        assert client.rcpt(BOB)[0] == 250
    reply = imap.append("Trash", None, None, full)
    assert reply[0] == "NO" and b"OVERQUOTA" in reply[1][0]
    Mailbox.objects.filter(pk=BOB).update(quota=1000)
    try:
        with lmtp(server) as client:
            assert client.rcpt(BOB)[0] == 552
    finally:
        Mailbox.objects.filter(pk=BOB).update(quota=MB)


def test_an_extension_is_delivered_to_its_owner(server):
    """recipient_delimiter"""
    with lmtp(server) as client:
        assert client.rcpt("bob+shop@example.org")[0] == 250
        assert client.rcpt("nobody+shop@example.org")[0] == 550


def test_all_users_are_listed(server):
    """iterate_query"""
    listed = server.dovecot.tool("user", "*").stdout.split()
    assert sorted(listed) == sorted(Mailbox.objects.values_list("username", flat=True))
