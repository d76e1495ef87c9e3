"""Mail that Postfix refuses, or that bounces."""

import pytest

from domains.services.domains import set_domains
from mailboxes.services.aliases import set_aliases
from mailboxes.services.mailboxes import set_mailboxes
from tests import mailservers
from tests.mailboxes.delivery.sending import (
    DENIED,
    FAR,
    OFF,
    UNKNOWN,
    add_alias_domain,
    alias,
    count_mails,
    create_mailboxes_of,
    perform_service,
    replies,
    reply,
    send,
)

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]


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
