"""Rows, mail and logins of the tests of delivery."""

import imaplib
import re
import smtplib

import pytest

from domains.models import Domain
from domains.services.alias_domains import create_alias_domains
from domains.services.transports import create_transports
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests import postfix_server
from tests.base import PASSWORD

FAR = "friend@far.test"
OFF = "550 5.2.1 <{}>: Recipient address rejected: Mailbox is inactive"
UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
DENIED = "554 5.7.1 <{}>: Relay access denied"


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
    return log_with_bounces(server, postfix_server.queue_id(response))


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
