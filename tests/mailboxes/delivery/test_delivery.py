"""Delivery and retrieval of mail with the generated configuration."""

import datetime
import os

import pytest
from django.utils import timezone

from domains.services.admins import create_admins
from mailadmin import passwords
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.vacations import set_vacation
from tests import mailservers, postfix_server
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import (
    FAR,
    UNKNOWN,
    add_alias_domain,
    alias,
    build_mail,
    count_mails,
    create_mailboxes_of,
    domain,
    mailbox,
    opens_imap,
    perform_service,
    reply,
    send,
)

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]


def test_mail_for_a_mailbox_is_found_by_maildir_imap_and_pop3(server):
    create_mailboxes_of("bob@example.org")
    send(server, "bob@example.org")
    [mail] = server.mails("bob@example.org")
    assert mail["Delivered-To"] == "bob@example.org"
    assert mail.get_content().strip() == "Are you there?"
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        assert imap.select() == ("OK", [b"1"])
        assert b"Subject: Lunch?" in imap.fetch("1", "(BODY.PEEK[])")[1][0][1]
    pop = server.dovecot.pop()
    pop.user("bob@example.org")
    pop.pass_(PASSWORD)
    assert pop.stat()[0] == 1
    pop.quit()


def test_an_mbox_file_stays_a_file(server):
    """From other systems: no slash at the end of its path means an mbox."""
    create_mailboxes_of("bob@example.org")
    Mailbox.objects.filter(pk="bob@example.org").update(maildir="spool/bob")
    folder = server.folder / "mail/spool"
    folder.mkdir(exist_ok=True)
    (folder / "bob").write_text(f"From {FAR} Fri Nov 20 10:00:00 2026\n{build_mail('Old mail')}\n")
    for path in (folder, folder / "bob"):
        os.chown(path, *postfix_server.NOBODY)
    send(server, "bob@example.org")
    text = (folder / "bob").read_text()
    assert text.count("\nSubject: ") == 2
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        assert imap.select() == ("OK", [b"2"])
        assert imap.create("Kept")[0] == "OK"
        assert imap.copy("1", "Kept")[0] == "OK"
        assert imap.select("Kept") == ("OK", [b"1"])


def test_upper_case_in_an_address_changes_nothing(server):
    create_mailboxes_of("bob@example.org")
    send(server, "BOB@Example.ORG")
    assert count_mails(server, "bob@example.org") == 1
    with server.dovecot.imap() as imap:
        imap.login("Bob@EXAMPLE.org", PASSWORD)


def test_special_characters_in_a_name_are_delivered(server, subtests):
    domain()
    for sign in "!#$%&'*=?^_{|}~-.":
        address = f"a{sign}b@example.org"
        mailbox(address)
        with subtests.test(sign):
            # Postfix treats these as source routes.
            if sign not in "!%":
                send(server, address)
                assert count_mails(server, address) == 1
            assert opens_imap(server, address)


def test_an_alias_delivers_to_each_target_once(server, sink):
    create_mailboxes_of("bob@example.org", "carol@example.com")
    domain("far.example", transport=f"smtp:[127.0.0.1]:{sink.port}")
    mailbox("dora@far.example")
    alias("info@example.org", "bob@example.org")
    alias("all@example.org", "bob@example.org", "carol@example.com", "dora@far.example")
    alias("again@example.org", "all@example.org", "info@example.org")
    send(server, "info@example.org")
    assert count_mails(server, "bob@example.org") == 1
    send(server, "again@example.org")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.com")) == (
        2,
        1,
    )
    assert sink.recipients() == ["dora@far.example"]


@pytest.mark.parametrize("keeps", [True, False])
def test_forwarding_keeps_a_copy_only_if_requested(server, keeps):
    create_mailboxes_of("bob@example.org", "carol@example.com")
    perform_service(set_forwarding, "bob@example.org", ["carol@example.com"], keeps)
    send(server, "bob@example.org")
    assert count_mails(server, "carol@example.com") == 1
    assert count_mails(server, "bob@example.org") == int(keeps)


def test_a_catch_all_gets_mail_for_unknown_addresses(server):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    alias("*@example.org", "carol@example.org")
    alias("info@example.org", "bob@example.org")
    send(server, "bob@example.org", "info@example.org", "nobody@example.org")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        1,
        1,
    )
    assert server.mails("carol@example.org")[0]["X-Original-To"] is None


def test_an_alias_domain_delivers_to_its_target_domain(server):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    add_alias_domain("example.net")
    alias("info@example.org", "carol@example.org")
    send(server, "bob@example.net", "info@example.net")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        1,
        1,
    )
    assert reply(server, "nobody@example.net") == UNKNOWN.format("nobody@example.net")


def test_a_catch_all_works_through_an_alias_domain_without_taking_other_mail(server):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    add_alias_domain("example.net")
    alias("*@example.org", "carol@example.org")
    send(server, "nobody@example.net", "bob@example.net")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        1,
        1,
    )


@pytest.mark.parametrize(
    "address", ["bob+x@example.org", "bob+x@example.net", "info+x@example.net"]
)
def test_an_extension_is_delivered_to_its_mailbox_not_the_catch_all(server, address):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    add_alias_domain("example.net")
    alias("*@example.org", "carol@example.org")
    alias("info@example.org", "bob@example.org")
    send(server, address)
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        1,
        0,
    )


def test_a_mailbox_without_an_alias_row_gets_its_mail(server):
    """Other programs omit the row; the catch-all must not get the mail."""
    create_mailboxes_of("bob@example.org", "carol@example.org")
    add_alias_domain("example.net")
    alias("*@example.org", "carol@example.org")
    Alias.objects.filter(pk="bob@example.org").delete()
    send(server, "bob@example.org", "bob+x@example.org", "bob@example.net")
    assert count_mails(server, "carol@example.org") == 0
    assert count_mails(server, "bob@example.org") == 2  # one for each final address


def test_mail_over_quota_bounces(server):
    create_mailboxes_of("alice@example.com")
    domain()
    mailbox("bob@example.org", quota=1)
    large = build_mail(body="x" * 60 + "\n" + ("y" * 70 + "\n") * 9000)  # 640 kB
    send(server, "bob@example.org", sender="alice@example.com", text=large)
    assert count_mails(server, "alice@example.com") == 0
    log = send(server, "bob@example.org", sender="alice@example.com", text=large)
    assert any("552 5.2.2" in line and "status=bounced" in line for line in log)
    assert (count_mails(server, "bob@example.org"), count_mails(server, "alice@example.com")) == (
        1,
        1,
    )
    [bounce] = server.mails("alice@example.com")
    assert "Quota exceeded" in bounce.as_string()


# Quotas


def test_the_mailbox_list_shows_the_usage_counted_by_dovecot(server, client):
    domain()
    mailbox("bob@example.org", quota=10)
    row = {"username": "root@example.net", "password": passwords.make_hash(PASSWORD)}
    (root,) = perform_service(create_admins, [row | {"superadmin": True}])
    text = build_mail(body=("y" * 70 + "\n") * 43000)  # 3 MB, and twice
    send(server, "bob@example.org", "bob+again@example.org", text=text)
    usage = Usage.objects.get(pk="bob@example.org")
    assert usage.messages == count_mails(server, "bob@example.org") == 2
    client.force_login(root, backend="mailadmin.accounts.backends.AdminBackend")
    page = client.get("/mailboxes/").content.decode()
    assert "6.0 MB <small>/ 10 MB</small>" in page


def test_mail_deleted_by_imap_is_not_counted(server):
    create_mailboxes_of("bob@example.org")
    send(server, "bob@example.org")
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        imap.select()
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
        imap.close()
    server.wait_until(lambda: not Usage.objects.get(pk="bob@example.org").messages)
    assert Usage.objects.get(pk="bob@example.org").bytes == 0


# Vacation


@pytest.mark.usefixtures("responder")
def test_a_vacation_answers_each_sender_once_and_keeps_the_mail(server):
    create_mailboxes_of("bob@example.org", "alice@example.com")
    now, day = timezone.now(), datetime.timedelta(days=1)
    away = {"active": True, "subject": "Away", "body": "I am at the sea.", "interval_time": 0}
    away |= {"activefrom": now - day, "activeuntil": now + day}
    perform_service(set_vacation, "bob@example.org", away)
    for _time in range(2):
        log = send(server, "bob@example.org", sender="alice@example.com")
        assert all("status=sent" in line for line in log if "status=" in line), log
    assert count_mails(server, "bob@example.org") == 2
    server.settle()
    [answer] = server.mails("alice@example.com")
    assert answer["Return-Path"] == "<>"
    assert answer["Auto-Submitted"] == "auto-replied"
    assert answer["Subject"] == "Away"
    assert "bob@example.org" in answer["From"]


# A company


def test_mail_of_three_domains_and_nine_users_stays_separate(server, settings):
    settings.MAILADMIN_MAILDIR = "{domain}/{username}/"
    names = {
        "alpha.example.org": ("alfred", "bob", "charlie"),
        "beta.example.org": ("auntie", "bill", "chou"),
        "gamma.example.org": ("alistair", "ben", "cinder"),
    }
    everybody = [f"{person}@{name}" for name, persons in names.items() for person in persons]
    create_mailboxes_of(*everybody)
    meant = ["charlie@alpha.example.org", "chou@beta.example.org", "cinder@gamma.example.org"]
    send(server, *meant, sender="samt@example.org")
    for address in everybody:
        folder = f"{address.partition('@')[2]}/{address}"
        assert len(server.mails(address, folder)) == (address in meant), address
    new = server.folder / "mail/alpha.example.org/charlie@alpha.example.org/new"
    assert len(list(new.iterdir())) == 1
    for address in meant:
        assert opens_imap(server, address)
