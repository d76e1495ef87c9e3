"""Logins to submission, IMAP and POP3, and who may send as whom."""

import datetime
import poplib

import pytest
from django.utils import timezone

from domains.services.domains import edit_domain
from mailadmin import passwords
from mailadmin.changes.perform import ConsolePrincipal
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.explain import explain
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import set_mailboxes
from tests import dovecot_server, mailservers, postfix_server
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import (
    FAR,
    add_alias_domain,
    alias,
    build_mail,
    count_mails,
    create_mailboxes_of,
    domain,
    entered,
    log_with_bounces,
    mailbox,
    opens_imap,
    perform_service,
    refused,
    sending,
)

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]


@pytest.mark.parametrize("via", ["submission", "smtps"])
def test_an_authenticated_user_sends_as_their_own_address_to_anyone(server, sink, via):
    create_mailboxes_of("bob@example.org", "carol@example.com")
    domain("far.example", transport=f"smtp:[127.0.0.1]:{sink.port}", backupmx=True)
    with entered(server, "bob@example.org", via=via) as client:
        client.mail("bob@example.org")
        assert client.rcpt("carol@example.com")[0] == client.rcpt("x@far.example")[0] == 250
        _code, response = client.data(build_mail(sender="bob@example.org"))
    log_with_bounces(server, postfix_server.queue_id(response))
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
        client.starttls(context=dovecot_server.unverified())
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
