"""The QR code for Thunderbird for Android, read as its specification says."""

import json

import pytest

from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.servers import get_client_servers
from mailboxes.client_setup.thunderbird_qr import build_account_text

BOB = "bob@example.org"


@pytest.fixture(autouse=True)
def host(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"


def read(text):
    """Return incoming server, outgoing server and identity, as a strict reader takes them."""
    version, (number, end), incoming, groups = json.loads(text)
    assert (version, number, end) == (1, 1, 1)
    ((outgoing, identity),) = groups
    assert incoming[0] in (0, 1) and len(incoming) == 8
    assert outgoing[0] == 0 and len(outgoing) == 7
    assert len(identity) == 2
    for host, port, security, authentication in (incoming[1:5], outgoing[1:5]):
        assert host.isascii() and 0 < port < 65536
        assert security in (2, 3) and authentication == 1
    for value in (*incoming[5:], *outgoing[5:], *identity):
        assert isinstance(value, str) and not set(value) & {"\r", "\n"}
    return incoming, outgoing, identity


def test_the_account_has_the_preferred_servers_and_the_password():
    servers = get_client_servers("example.org")
    incoming, outgoing, identity = read(build_account_text(BOB, "Bob “B” Müller", servers, "s-1"))
    assert incoming == [0, "mail.example.org", 993, 3, 1, BOB, "", "s-1"]
    assert outgoing == [0, "mail.example.org", 465, 3, 1, BOB, "s-1"]
    assert identity == [BOB, "Bob “B” Müller"]


def test_a_server_with_pop3_and_starttls(settings):
    settings.MAILADMIN_MAIL_IMAP = ()
    settings.MAILADMIN_MAIL_POP3 = (ServicePort(110, "starttls"),)
    settings.MAILADMIN_MAIL_SMTP = (ServicePort(587, "starttls"),)
    servers = get_client_servers("example.org")
    incoming, outgoing, _identity = read(build_account_text(BOB, "", servers, "s-1"))
    assert incoming[:4] == [1, "mail.example.org", 110, 2]
    assert outgoing[:4] == [0, "mail.example.org", 587, 2]
