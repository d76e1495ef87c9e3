"""A mail program sets itself up: it asks gunicorn for the servers, and signs in to each of them.

The panel, Postfix and Dovecot run as `mailserver config` and the service configure them.
"""

import imaplib
import poplib
import smtplib

import pytest

from tests import mailservers
from tests.base import PASSWORD
from tests.dovecot_server import unverified
from tests.mailboxes.client_setup.mail_programs import (
    AUTOCONFIG_URLS,
    OUTLOOK,
    REQUEST,
    read_autoconfig,
    read_autodiscover,
)
from tests.mailboxes.client_setup.panels import Panel
from tests.mailboxes.delivery.sending import create_mailboxes_of

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB = "bob@example.org"


@pytest.fixture
def panel(running, transactional_db, request):
    running.delete_mails()
    create_mailboxes_of(BOB, "carol@example.com")
    with Panel() as server:
        ports = running.ports
        yield server.run(
            request,
            MAILADMIN_ALLOWED_HOSTS="panel.example.net,127.0.0.1",
            MAILADMIN_MAIL_HOST="127.0.0.1",
            MAILADMIN_MAIL_IMAP=f"{ports['imaps']}/tls",
            MAILADMIN_MAIL_POP3=f"{ports['pop3s']}/tls",
            MAILADMIN_MAIL_SMTP=f"{ports['smtps']}/tls,{ports['submission']}/starttls",
        )


def sign_in(kind, host, port, security, login):
    """Sign in to a server as a mail program would; return what it says."""
    if kind == "imap":
        with imaplib.IMAP4_SSL(host, port, ssl_context=unverified()) as client:
            return client.login(login, PASSWORD)[0]
    if kind == "pop3":
        client = poplib.POP3_SSL(host, port, context=unverified())
        client.user(login)
        said = client.pass_(PASSWORD)
        client.quit()
        return said[:3].decode().strip("+ ")
    if security == "SSL":
        client = smtplib.SMTP_SSL(host, port, context=unverified())
    else:
        client = smtplib.SMTP(host, port)
        client.starttls(context=unverified())
    with client:
        return "OK" if client.login(login, PASSWORD)[0] == 235 else "NO"


def test_thunderbird_signs_in_to_every_server_that_it_is_told_of(panel):
    path = f"{AUTOCONFIG_URLS[0]}?emailaddress={BOB}"
    status, document = panel.ask("GET", path, "autoconfig.example.org")
    assert status == 200
    # Of a host with an IP address the schema knows nothing.
    servers = read_autoconfig(document.replace(b"127.0.0.1", b"localhost.test"))
    assert len(servers) == 4
    for server in servers:
        login = server["username"].replace("%EMAILADDRESS%", BOB)
        said = sign_in(
            server["type"], "127.0.0.1", int(server["port"]), server["socketType"], login
        )
        assert said == "OK", server


def test_outlook_signs_in_to_every_server_that_it_is_told_of(panel):
    body = REQUEST.format(address=BOB, schema=OUTLOOK)
    headers = {"Content-Type": "text/xml", "User-Agent": "Microsoft Office/16.0"}
    for host in ("autodiscover.example.org", "example.org", "panel.example.net"):
        path = "/AutoDiscover/AutoDiscover.xml"
        status, document = panel.ask("POST", path, host, body, **headers)
        assert status == 200
        servers = read_autodiscover(document)
    assert len(servers) == 4
    for server in servers:
        said = sign_in(
            server["Type"].lower(),
            server["Server"],
            int(server["Port"]),
            server["Encryption"],
            server["LoginName"],
        )
        assert said == "OK", server


def test_the_panel_is_not_opened_to_other_hosts(panel):
    for host in ("autoconfig.example.org", "example.org", "evil.example"):
        for path in ("/", "/login/", "/domains/", "/static/", "/readyz"):
            assert panel.ask("GET", path, host)[0] == 400, (host, path)
    path = f"{AUTOCONFIG_URLS[0]}?emailaddress={BOB}"
    assert panel.ask("GET", path, "autoconfig.evil.example")[0] == 404
    assert panel.ask("HEAD", path, "panel.example.net") == (200, b"")
    assert panel.ask("POST", "/autodiscover/autodiscover.xml", "example.org", "x" * 9000)[0] == 413
