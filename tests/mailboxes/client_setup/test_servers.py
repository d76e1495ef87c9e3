"""The settings of servers for mail programs, and what pages show of them."""

import pytest
from django.test import override_settings

from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.servers import get_client_servers
from tests.base import World
from tests.started_panel import panel, value


def test_the_host_may_name_the_domain(settings):
    assert get_client_servers("example.org") is None
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"
    servers = get_client_servers("example.org")
    assert servers.host == "mail.example.org"
    assert {each.host for each in servers.servers} == {"mail.example.org"}


def test_the_preferred_server_is_the_first(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.example.org"
    settings.MAILADMIN_MAIL_SIEVE = (ServicePort(4190, "starttls"),)
    servers = get_client_servers("example.org")
    found = [(each.protocol, each.port) for each in servers.preferred]
    assert found == [("imap", 993), ("pop3", 995), ("smtp", 465), ("sieve", 4190)]
    assert [each.port for each in servers.outgoing] == [465, 587]


def test_ports_with_their_security():
    assert value("MAILADMIN_MAIL_IMAP", "143/STARTTLS, 993/tls") == (
        (143, "starttls"),
        (993, "tls"),
    )
    assert value("MAILADMIN_MAIL_POP3", "") == ()
    assert value("MAILADMIN_MAIL_HOST", "Mail.{domain}") == "mail.{domain}"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("MAILADMIN_MAIL_IMAP", "993", "contains '993', which is not port/tls or port/starttls"),
        ("MAILADMIN_MAIL_IMAP", "993/ssl", "contains '993/ssl', which is not port/tls"),
        ("MAILADMIN_MAIL_SMTP", "smtp/tls", "has a port that is not a number"),
        ("MAILADMIN_MAIL_SMTP", "70000/tls", "has a port that is not a number"),
        ("MAILADMIN_MAIL_HOST", "mail.{dom}", "is not a domain name"),
        ("MAILADMIN_MAIL_HOST", "mail host", "is not a domain name"),
    ],
)
def test_bad_values_stop_the_start(name, given, said):
    with pytest.raises(SystemExit) as stopped:
        value(name, given)
    assert str(stopped.value).startswith(f"mailadmin: {name} {given!r} {said}")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"MAILADMIN_MAIL_IMAP": "", "MAILADMIN_MAIL_POP3": ""}, "MAILADMIN_MAIL_IMAP or"),
        ({"MAILADMIN_MAIL_SMTP": ""}, "MAILADMIN_MAIL_SMTP is required"),
    ],
)
def test_servers_to_read_and_to_send_are_required_with_the_host(given, name):
    stopped = panel("manage.py", "check", MAILADMIN_MAIL_HOST="mail.example.org", **given)
    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"mailadmin: {name}")
    assert stopped.stderr.count("\n") == 1
    assert panel("manage.py", "check", **given).returncode == 0


class PageTests(World):
    @override_settings(
        MAILADMIN_MAIL_HOST="mail.{domain}",
        MAILADMIN_MAIL_POP3=(),
        MAILADMIN_MAIL_SIEVE=(ServicePort(4190, "starttls"),),
    )
    def test_pages_show_what_is_offered(self):
        self.sign_in(self.bob)
        owner = self.client.get("/")
        self.sign_in(self.alice)
        for page in (owner, self.client.get("/mailboxes/bob@example.org/ready/")):
            for text in ("port 993, SSL/TLS", "port 465, SSL/TLS", "port 4190, STARTTLS"):
                self.assertContains(page, f"mail.example.org, {text}")
            self.assertNotContains(page, "POP3")
