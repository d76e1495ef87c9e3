"""Delivery and retrieval of mail with the generated configuration."""

import datetime
import imaplib
import os
import poplib
import re
import smtplib
import subprocess
import sys

import pytest
from django.db import connection
from django.utils import timezone

from domains.models import Domain, Transport
from domains.services.admins import create_admins
from domains.services.alias_domains import create_alias_domains
from domains.services.domains import edit_domain, set_domains
from domains.services.transports import create_transports
from mailadmin import passwords
from mailadmin.changes.perform import Actor, ConsolePrincipal, perform
from mailadmin.conf import BASE_DIR
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.postfix.explain import explain
from mailboxes.postfix.routing import PostfixRouter, build_panel_config, quote_address
from mailboxes.services.aliases import create_aliases, set_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from mailboxes.services.vacations import set_vacation
from tests import mailservers, servers
from tests.base import PASSWORD
from tests.mailboxes.test_routing import reload

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]

FAR = "friend@far.test"
OFF = "550 5.2.1 <{}>: Recipient address rejected: Mailbox is inactive"
UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
DENIED = "554 5.7.1 <{}>: Relay access denied"


# Servers


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    """Postfix and Dovecot as the panel configures them for the tests' database."""
    with django_db_blocker.unblock(), mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        yield server.run()


@pytest.fixture
def server(running, transactional_db):
    running.delete_mails()
    return running


@pytest.fixture(scope="module")
def external_server():
    """An external mail server."""
    with mailservers.Sink() as sink:
        yield sink.run()


@pytest.fixture
def sink(external_server):
    external_server.delete_mails()
    return external_server


@pytest.fixture
def responder(server):
    """A program that replaces the panel's command for Postfix's pipe(8)."""
    bridge = mailservers.Bridge(server.folder)
    master = server.config / "master.cf"
    text = master.read_text()
    master.write_text(text.replace(str(BASE_DIR / "manage.py"), str(bridge.program)))
    assert master.read_text() != text
    server.tool("postfix", "reload")
    with bridge.crossed(lambda arguments, mail: autoreply(server, arguments, mail)):
        yield


def autoreply(server, arguments, mail):
    """Run the autoresponder with Postfix's arguments and only the generated settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAILADMIN_")}
    if connection.vendor == "sqlite":
        own["MAILADMIN_DATABASE_URL"] = f"sqlite://{connection.settings_dict['NAME']}"
    program = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    return subprocess.run(
        [*program, f"--sendmail={servers.command('sendmail')}"],
        input=mail,
        capture_output=True,
        env=own | {"MAIL_CONFIG": str(server.config)},
    )


# Names that other programs leave and the panel refuses
ODD_NAMES = ["bob", "+lead", "+", "++x", "a+b", "a/b", "a b", "a`b", "a:b", "a,b", "a;b", "a<b"]
ODD_NAMES += ["-x", ".x", "x.", "a..b", "a\\b", 'a"b', "a!b", "a%b", "a|b", "a'b", "a{b", "a=b"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_explanation_of_an_adopted_name_matches_dovecot(server, name):
    domain("odd.test")
    address = f"{name}@odd.test"
    Mailbox.objects.create(username=address, domain_id="odd.test", maildir="odd.test/x/")
    Alias.objects.create(address=address, goto=address, domain_id="odd.test")
    route = PostfixRouter(build_panel_config()).route(address)
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        code, text = client.rcpt(quote_address(address))
        assert (f"{code} {text.decode()}" if code != 250 else "") == route.reply
        if code == 250:
            _code, reply = client.data("Subject: x\n\nx\n")
            log = "\n".join(server.log_of(mailservers.queue_id(reply)))
            (end,) = route.deliveries
            is_delivered = "status=sent" in log
            assert (end.kind == "mailbox") == is_delivered, log


@pytest.mark.parametrize("transport", ["virtual:", "nosuch:", "Virtual:", " smtp:[x]"])
def test_the_explanation_of_an_unusable_adopted_transport_matches_postfix(server, transport):
    create_mailboxes_of("bob@broken.test")
    Transport.objects.create(pattern="bob@broken.test", transport=transport)
    explanation = explain(ConsolePrincipal(), "bob@broken.test")
    assert explanation["says"] == "Accepted, then deferred: the delivery cannot work."
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt("bob@broken.test")[0] == 250
        queue_id = mailservers.queue_id(client.data("Subject: x\n\nx\n")[1])
    server.wait_until(lambda: stays_in_the_queue(server, queue_id))
    server.tool("postsuper", "-d", queue_id)


def stays_in_the_queue(server, queue_id):
    """Return whether a message was deferred or waits for a service that does not start."""
    lines = server.lines_of(queue_id)
    assert "status=sent" not in "\n".join(lines)
    log = server.maillog.read_text()
    return "status=deferred" in "\n".join(lines) or (
        "virtual_mailbox_limit is smaller than message_size_limit" in log
        and "virtual: bad command startup" in log
    )


# Rows, created by the panel's services


def perform_service(service, *arguments):
    return perform(Actor.console(), service, *arguments)


def domain(name="example.org", **values):
    perform_service(create_domains, [{"domain": name, "default_aliases": False} | values])


def mailbox(address, **values):
    local_part, _at, name = address.partition("@")
    row = {"local_part": local_part, "domain": Domain.objects.get(pk=name)}
    row |= {"password": passwords.make_hash(PASSWORD, address, "SHA512-CRYPT")}
    perform_service(create_mailboxes, [row | values])


def add_transport(pattern, transport):
    """Create a row of the transport table."""
    perform_service(create_transports, [{"pattern": pattern, "transport": transport}])


def alias(address, *targets):
    local_part, _at, name = address.partition("@")
    row = {"local_part": local_part, "domain": Domain.objects.get(pk=name)}
    perform_service(create_aliases, [row | {"goto": list(targets)}])


def add_alias_domain(name, target="example.org"):
    """Create an alias domain; its name is a domain as well."""
    domain(name)
    ends = (Domain.objects.get(pk=each) for each in (name, target))
    perform_service(
        create_alias_domains, [dict(zip(("alias_domain", "target_domain"), ends, strict=True))]
    )


def create_mailboxes_of(*addresses):
    """Create these mailboxes with their domains."""
    for name in sorted({address.partition("@")[2] for address in addresses}):
        domain(name)
    for address in addresses:
        mailbox(address)


# Mail


def build_mail(subject="Lunch?", body="Are you there?", sender=FAR, to="bob@example.org"):
    return f"From: {sender}\nTo: {to}\nSubject: {subject}\n\n{body}\n"


def replies(server, *recipients):
    """Return Postfix's reply to each recipient; nothing is sent."""
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        return [f"{code} {text.decode()}" for code, text in map(client.rcpt, recipients)]


def reply(server, recipient):
    return replies(server, recipient)[0]


def send(server, *recipients, sender="", text=None):
    """Send one message to all recipients; return its log lines once it has left the queue."""
    with server.smtp() as client:
        client.ehlo()
        client.mail(sender)
        for code, text_ in map(client.rcpt, recipients):
            assert code == 250, text_
        _code, response = client.data(text or build_mail(sender=sender or FAR, to=recipients[0]))
    return log_with_bounces(server, mailservers.queue_id(response))


def log_with_bounces(server, queue_id):
    """Return the log of a message and of the bounces and answers that it caused."""
    lines = server.log_of(queue_id)
    for line in list(lines):
        if hit := re.search(r"sender non-delivery notification: (\w+)", line):
            lines += log_with_bounces(server, hit[1])
    return lines


def subjects(server, address):
    return [mail["Subject"] for mail in server.mails(address)]


def count_mails(server, address):
    """Return the number of messages."""
    return len(server.mails(address))


# Delivery


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
        os.chown(path, *mailservers.NOBODY)
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


# Transports


@pytest.mark.parametrize("transport", ["smtp", "relay"])
def test_a_backup_mx_relays_its_mail(server, sink, transport):
    domain("backup.test", backupmx=True, transport=f"{transport}:[127.0.0.1]:{sink.port}")
    send(server, "anybody@backup.test", "else@backup.test")
    assert sink.recipients() == ["anybody@backup.test", "else@backup.test"]
    assert reply(server, "x@sub.backup.test") == DENIED.format("x@sub.backup.test")


def test_a_backup_mx_with_listed_mailboxes_refuses_other_addresses(server, sink):
    domain("backup.test", backupmx=True, transport=f"smtp:[127.0.0.1]:{sink.port}")
    mailbox("bob@backup.test")
    send(server, "bob@backup.test")
    assert sink.recipients() == ["bob@backup.test"]
    assert "User unknown in relay recipient table" in reply(server, "carol@backup.test")


def test_a_domain_is_delivered_by_its_own_transport(server, sink):
    create_mailboxes_of("carol@example.com")
    # A unique name: Postfix caches the last transport lookup for half a minute.
    domain("branch.test", transport=f"smtp:[127.0.0.1]:{sink.port}")
    mailbox("bob@branch.test")
    send(server, "bob@branch.test", "carol@example.com")
    assert sink.recipients() == ["bob@branch.test"]
    assert count_mails(server, "carol@example.com") == 1
    assert reply(server, "x@branch.test") == UNKNOWN.format("x@branch.test")


def test_a_transport_row_of_an_address_applies_to_it_alone(server, sink):
    create_mailboxes_of("bob@moved.test", "carol@moved.test")
    add_transport("bob@moved.test", f"smtp:[127.0.0.1]:{sink.port}")
    send(server, "bob+shop@moved.test", "carol@moved.test")
    assert sink.recipients() == ["bob+shop@moved.test"]
    assert count_mails(server, "carol@moved.test") == 1
    assert reply(server, "dora@moved.test") == UNKNOWN.format("dora@moved.test")


def test_a_transport_row_overrides_the_transport_of_the_domain(server, sink):
    domain("branch2.test", transport="error:5.1.1 nobody reads this")
    mailbox("bob@branch2.test")
    add_transport("branch2.test", f"smtp:[127.0.0.1]:{sink.port}")
    send(server, "bob@branch2.test")
    assert sink.recipients() == ["bob@branch2.test"]


@pytest.fixture
def star(server):
    """Set the wildcard row; Postfix caches `*` for half a minute unless restarted."""

    def set_star(transport):
        add_transport("*", transport)
        reload(server)

    yield set_star
    Transport.objects.all().delete()
    reload(server)


def test_the_wildcard_applies_except_to_domains_with_their_own_row(server, sink, star):
    create_mailboxes_of("bob@home.test", "carol@taken.test", "dora@sub.house.test")
    alias("out@home.test", "x@far2.test")
    add_transport("home.test", ":")
    add_transport(".house.test", ":")
    star(f"smtp:[127.0.0.1]:{sink.port}")
    everybody = ["bob@home.test", "out@home.test", "carol@taken.test", "dora@sub.house.test"]
    send(server, *everybody)
    assert sink.recipients() == ["carol@taken.test", "x@far2.test"]
    assert (count_mails(server, "bob@home.test"), count_mails(server, "dora@sub.house.test")) == (
        1,
        1,
    )
    assert count_mails(server, "carol@taken.test") == 0


# Refusals


def test_unauthenticated_clients_cannot_relay(server):
    create_mailboxes_of("bob@example.org")
    response = replies(server, FAR, "x@sub.example.org", "bob@example.org@far.test")
    assert all(text.startswith("554 5.7.1") for text in response), response


def test_mail_for_an_inactive_mailbox_is_rejected(server):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    add_alias_domain("example.net")
    for step in ("alone", "beside a catch-all"):
        perform_service(set_mailboxes, ["bob@example.org"], "active", False)
        for address in ("bob@example.org", "bob+x@example.org", "bob@example.net"):
            assert reply(server, address) == OFF.format(address), step
        if step == "alone":
            alias("*@example.org", "carol@example.org")
    perform_service(set_mailboxes, ["bob@example.org"], "active", True)
    send(server, "bob@example.org")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        1,
        0,
    )


def test_mail_forwarded_to_an_inactive_mailbox_bounces(server):
    create_mailboxes_of("bob@example.org", "carol@example.org", "alice@example.com")
    alias("*@example.org", "carol@example.org")
    alias("info@example.org", "bob@example.org")
    perform_service(set_mailboxes, ["bob@example.org"], "active", False)
    send(server, "info@example.org", sender="alice@example.com")
    assert count_mails(server, "carol@example.org") == count_mails(server, "bob@example.org") == 0
    [bounce] = server.mails("alice@example.com")
    assert bounce["Return-Path"] == "<>"
    assert "bob@example.org" in bounce.as_string()


def test_a_disabled_domain_is_rejected(server):
    create_mailboxes_of("bob@example.org")
    add_alias_domain("example.net")
    alias("info@example.org", "bob@example.org")
    perform_service(set_domains, ["example.org"], "active", False)
    for address in ("bob@example.org", "info@example.org"):
        assert reply(server, address) == DENIED.format(address)
    assert reply(server, "bob@example.net") == UNKNOWN.format("bob@example.net")


def test_mail_for_an_inactive_alias_is_rejected_or_caught_by_the_catch_all(server):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    alias("info@example.org", "bob@example.org")
    perform_service(set_aliases, ["info@example.org"], "active", False)
    assert reply(server, "info@example.org") == UNKNOWN.format("info@example.org")
    alias("*@example.org", "carol@example.org")
    send(server, "info@example.org")
    assert (count_mails(server, "bob@example.org"), count_mails(server, "carol@example.org")) == (
        0,
        1,
    )


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


# Sending


def entered(server, login, password=PASSWORD, via="submission"):
    client = getattr(server, via)()
    client.login(login, password)
    return client


def sending(server, login, sender, recipient):
    """Return Postfix's reply when this login sends as that sender."""
    with entered(server, login) as client:
        client.mail(sender)
        code, text = client.rcpt(recipient)
        return f"{code} {text.decode()}"


def refused(server, login, password=PASSWORD):
    """Return whether submission refuses the login like a wrong password."""
    with server.submission() as client, pytest.raises(smtplib.SMTPAuthenticationError) as error:
        client.login(login, password)
    return error.value.smtp_code == 535


def opens_imap(server, login, password=PASSWORD):
    with server.dovecot.imap() as imap:
        try:
            return imap.login(f'"{login}"', password)[0] == "OK"
        except imaplib.IMAP4.error as error:
            assert "AUTHENTICATIONFAILED" in str(error)
            return False


@pytest.mark.parametrize("via", ["submission", "smtps"])
def test_an_authenticated_user_sends_as_their_own_address_to_anyone(server, sink, via):
    create_mailboxes_of("bob@example.org", "carol@example.com")
    domain("far.example", transport=f"smtp:[127.0.0.1]:{sink.port}", backupmx=True)
    with entered(server, "bob@example.org", via=via) as client:
        client.mail("bob@example.org")
        assert client.rcpt("carol@example.com")[0] == client.rcpt("x@far.example")[0] == 250
        _code, response = client.data(build_mail(sender="bob@example.org"))
    log_with_bounces(server, mailservers.queue_id(response))
    assert count_mails(server, "carol@example.com") == 1
    assert sink.recipients() == ["x@far.example"]


def test_nobody_sends_as_another_address(server):
    create_mailboxes_of("bob@example.org", "carol@example.org", "dora@example.com")
    add_alias_domain("example.net")
    alias("info@example.org", "bob@example.org", "dora@example.com")
    alias("*@example.org", "carol@example.org")
    perform_service(set_forwarding, "dora@example.com", ["bob@example.org"], True)
    own = ["bob@example.org", "bob+x@example.org", "bob@example.net", "info@example.org"]
    foreign = ["carol@example.org", "dora@example.com", "carol@example.net", "any@example.org"]
    # The empty sender is used for receipts and belongs to nobody.
    for sender in (*own, "info@example.net", ""):
        assert sending(server, "bob@example.org", sender, FAR).startswith("250"), sender
    for sender in (*foreign, "somebody@far.test"):
        response = sending(server, "bob@example.org", sender, "carol@example.org")
        words = f"553 5.7.1 <{sender}>: Sender address rejected: not owned by user"
        assert response == f"{words} bob@example.org"
    assert sending(server, "carol@example.org", "any@example.org", FAR).startswith("250")


@pytest.mark.parametrize(
    "goto",
    [
        "carol@example.org bob@example.org",
        "carol@example.org,\tbob@example.org",
        "carol@example.org\nbob@example.org",
        "carol@example.org;bob@example.org",
        "carol@example.org; bob@example.org",
        "<bob@example.org>",
        '"Bob" <bob@example.org>',
        "bob@example.org (away)",
        "BOB@example.org.",
        "bob%example.org",
    ],
)
def test_the_sender_check_parses_targets_as_a_login_list(server, goto):
    create_mailboxes_of("bob@example.org", "carol@example.org")
    Alias.objects.create(address="any@example.org", goto=goto, domain_id="example.org")
    explanation = explain(ConsolePrincipal(), "any@example.org", sender="bob@example.org")["sender"]
    response = sending(server, "bob@example.org", "any@example.org", "carol@example.org")
    assert explanation["may"] == response.startswith("250"), response
    assert explanation["reply"] == ("" if explanation["may"] else response)


def test_authentication_is_not_offered_without_tls(server):
    create_mailboxes_of("bob@example.org")
    with server.smtp(server.ports["submission"]) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH PLAIN AGJvYgBwYXNz")[0] == 530
        assert client.docmd("MAIL FROM:<bob@example.org>")[0] == 530
    with server.smtp() as client:
        client.starttls(context=mailservers.unverified())
        client.ehlo()
        assert not client.has_extn("auth")
    with server.submission() as client:
        client.ehlo()
        assert client.has_extn("auth")
        code, text = client.mail("bob@example.org")
        code, text = client.rcpt("bob@example.org")
        assert code == 554, text


def test_a_user_without_smtp_access_can_still_read_mail(server):
    create_mailboxes_of("bob@example.org")
    perform_service(set_mailboxes, ["bob@example.org"], "smtp_active", False)
    assert refused(server, "bob@example.org")
    assert opens_imap(server, "bob@example.org")
    perform_service(set_mailboxes, ["bob@example.org"], "smtp_active", True)
    assert sending(server, "bob@example.org", "bob@example.org", FAR).startswith("250")


def test_an_inactive_mailbox_cannot_log_in(server):
    create_mailboxes_of("bob@example.org")
    perform_service(set_mailboxes, ["bob@example.org"], "active", False)
    assert refused(server, "bob@example.org")
    assert not opens_imap(server, "bob@example.org")
    pop = server.dovecot.pop()
    pop.user("bob@example.org")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        pop.pass_(PASSWORD)


def test_an_expired_password_is_refused_in_a_domain_with_password_expiry(server):
    create_mailboxes_of("bob@example.org")
    now, day = timezone.now(), datetime.timedelta(days=1)
    Mailbox.objects.filter(pk="bob@example.org").update(password_expiry=now - day)
    assert opens_imap(server, "bob@example.org")
    perform_service(edit_domain, "example.org", {"password_expiry": 30})
    assert refused(server, "bob@example.org")
    assert not opens_imap(server, "bob@example.org")
    Mailbox.objects.filter(pk="bob@example.org").update(password_expiry=now + day)
    assert opens_imap(server, "bob@example.org")


def test_every_stored_password_opens_its_mailbox(server, subtests, settings):
    settings.MAILADMIN_PASSWORD_ROUNDS = 1
    domain()
    names = passwords.get_scheme_names()
    assert len(names) > 20
    for number, scheme in enumerate(names):
        address = f"m{number}@example.org"
        mailbox(address, password=passwords.make_hash(PASSWORD, address, scheme))
        with subtests.test(scheme):
            assert opens_imap(server, address)
    assert not opens_imap(server, address, PASSWORD[:-1])


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
