"""Delivery to other servers, by transports of domains and addresses."""

import pytest

from domains.models import Transport
from mailadmin.changes.perform import ConsolePrincipal
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.addresses import quote_address
from mailboxes.postfix.explain import explain
from mailboxes.postfix.routing import PostfixRouter, build_panel_config
from tests import mailservers, postfix_server
from tests.mailboxes.delivery.sending import (
    DENIED,
    UNKNOWN,
    add_transport,
    alias,
    count_mails,
    create_mailboxes_of,
    domain,
    mailbox,
    reply,
    send,
)

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]


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
            log = "\n".join(server.log_of(postfix_server.queue_id(reply)))
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
        queue_id = postfix_server.queue_id(client.data("Subject: x\n\nx\n")[1])
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
