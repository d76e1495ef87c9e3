"""Who may send as an address by a sender permission: Postfix, and the same by `explain`."""

import pytest

from mailadmin.changes.perform import ConsolePrincipal
from mailboxes.models import Mailbox, SenderPermission
from mailboxes.postfix.explain import explain
from mailboxes.services.mailboxes import set_mailboxes
from mailboxes.services.sender_permissions import (
    create_sender_permissions,
    delete_sender_permissions,
    set_sender_permissions,
)
from tests import mailservers
from tests.mailboxes.delivery.sending import (
    FAR,
    add_alias_domain,
    alias,
    create_mailboxes_of,
    domain,
    perform_service,
    sending,
)

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB, CAROL, DORA = "bob@example.org", "carol@example.org", "dora@example.com"


@pytest.fixture
def world(server):
    """Three mailboxes, an alias of carol's, and an alias domain of theirs."""
    create_mailboxes_of(BOB, CAROL, DORA)
    add_alias_domain("example.net")
    alias("info@example.org", CAROL)
    return server


def permit(address, login):
    row = {"address": address, "mailbox": Mailbox(pk=login)}
    [permission] = perform_service(create_sender_permissions, [row])
    return permission.pk


def may(server, login, sender):
    """Return whether Postfix lets the login send; `explain` must say the same."""
    response = sending(server, login, sender, FAR)
    assert response.startswith("250") or "not owned by user" in response, response
    explained = explain(ConsolePrincipal(), sender, sender=login)["sender"]
    assert explained["may"] == response.startswith("250"), (login, sender, response, explained)
    return explained["may"]


def who_may(server, sender):
    return [login for login in (BOB, CAROL, DORA) if may(server, login, sender)]


def test_a_permission_lets_a_mailbox_send_until_it_is_deleted(world):
    assert who_may(world, "billing@example.org") == []
    key = permit("billing@example.org", BOB)
    assert who_may(world, "billing@example.org") == [BOB]
    assert who_may(world, "Billing+march@example.org") == [BOB]
    assert who_may(world, "other@example.org") == []
    perform_service(delete_sender_permissions, [key])
    assert who_may(world, "billing@example.org") == []


def test_an_inactive_permission_or_mailbox_does_not_count(world):
    key = permit("billing@example.org", BOB)
    perform_service(set_sender_permissions, [key], "active", False)
    assert who_may(world, "billing@example.org") == []
    perform_service(set_sender_permissions, [key], "active", True)
    assert who_may(world, "billing@example.org") == [BOB]
    perform_service(set_mailboxes, [BOB], "active", False)
    assert explain(ConsolePrincipal(), "billing@example.org")["senders"] == []


def test_a_permission_takes_nothing_from_others(world):
    for address in ("info@example.org", CAROL, "noreply@example.org"):
        permit(address, DORA)
    assert who_may(world, "info@example.org") == [CAROL, DORA]
    assert who_may(world, CAROL) == [CAROL, DORA]
    assert who_may(world, "carol+x@example.org") == [CAROL, DORA]
    assert who_may(world, "noreply@example.org") == [DORA]
    alias("*@example.org", BOB)
    assert who_may(world, "noreply@example.org") == [BOB, DORA]
    assert who_may(world, "any@example.org") == [BOB]
    assert who_may(world, "info@example.org") == [CAROL, DORA]


def test_a_permission_for_a_domain_is_for_all_of_its_addresses(world):
    key = permit("@example.org", DORA)
    for sender in (BOB, "bob+x@example.org"):
        assert who_may(world, sender) == [BOB, DORA], sender
    assert who_may(world, "info@example.org") == [CAROL, DORA]
    for sender in ("any@example.org", "any+x@example.org"):
        assert who_may(world, sender) == [DORA], sender
    permit("billing@example.org", BOB)
    assert who_may(world, "billing@example.org") == [BOB, DORA]
    alias("*@example.org", CAROL)
    assert who_may(world, "any@example.org") == [CAROL, DORA]
    assert who_may(world, BOB) == [BOB, DORA]
    assert who_may(world, "x@example.com") == []
    SenderPermission.objects.filter(pk=key).update(active=False)
    assert who_may(world, BOB) == [BOB]


def test_permissions_hold_in_alias_domains(world):
    permit("billing@example.org", BOB)
    permit("info@example.org", DORA)
    assert who_may(world, "billing@example.net") == [BOB]
    assert who_may(world, "info@example.net") == [CAROL, DORA]
    assert who_may(world, "bob+x@example.net") == [BOB]
    permit("@example.org", DORA)
    for sender in ("billing@example.net", "bob@example.net"):
        assert who_may(world, sender) == [BOB, DORA], sender
    assert who_may(world, "any@example.net") == [DORA]


def test_an_alias_domain_has_permissions_of_its_own(world):
    permit("sales@example.net", BOB)
    permit("carol@example.net", DORA)
    assert who_may(world, "sales@example.net") == [BOB]
    assert who_may(world, "sales@example.org") == []
    assert who_may(world, "carol@example.net") == [CAROL, DORA]
    permit("@example.net", DORA)
    for sender in ("bob@example.net", "sales@example.net"):
        assert who_may(world, sender) == [BOB, DORA], sender
    assert who_may(world, "any@example.net") == [DORA]
    alias("*@example.org", CAROL)
    assert who_may(world, "sales@example.net") == [BOB, CAROL, DORA]
    assert who_may(world, "any@example.net") == [CAROL, DORA]
    alias("carol@example.net", BOB)
    assert who_may(world, "carol@example.net") == [BOB, DORA]


def test_without_a_mail_address_in_the_panel_nobody_sends(world):
    domain("closed.example", active=False)
    permit("x@closed.example", BOB)
    assert who_may(world, "x@closed.example") == []
    permit("x@example.com", BOB)
    assert who_may(world, "x@example.com") == [BOB]
