"""`deploy/nginx.conf` and `deploy/apache.conf` serve the documents of every hosted domain."""

import pytest

from tests import mailservers
from tests.mailboxes.client_setup.mail_programs import (
    AUTOCONFIG_URLS,
    OUTLOOK,
    REQUEST,
    read_autoconfig,
    read_autodiscover,
)
from tests.mailboxes.client_setup.panels import Panel
from tests.mailboxes.client_setup.web_servers import Apache, Nginx, is_known_release
from tests.mailboxes.delivery.sending import create_mailboxes_of

pytestmark = [
    pytest.mark.deploy,
    mailservers.needs_root,
    pytest.mark.skipif(not is_known_release(), reason="the packages of this release are not known"),
]
HOSTS = ("autoconfig.example.org", "autodiscover.example.org", "panel.example.org")


@pytest.fixture(params=[Nginx, Apache], ids=lambda kind: kind.__name__)
def web_server(request, transactional_db):
    create_mailboxes_of("bob@example.org")
    with Panel() as panel, request.param() as server:
        panel.run(
            request,
            MAILADMIN_URL="https://panel.example.org",
            MAILADMIN_TRUSTED_PROXIES="127.0.0.1",
            MAILADMIN_MAIL_HOST="mail.{domain}",
        )
        yield server.run(panel)


def test_the_documents_are_served_for_every_domain_and_nothing_else(web_server):
    ask = web_server.ask
    query = "?emailaddress=bob@example.org"
    for host in HOSTS:
        for scheme in ("http", "https") if host != HOSTS[2] else ("https",):
            answer, document = ask(scheme, "GET", AUTOCONFIG_URLS[0] + query, host)
            assert answer.status == 200, (scheme, host)
            assert read_autoconfig(document)[0]["hostname"] == "mail.example.org"
            is_own = host == HOSTS[2]
            assert bool(answer.headers["Strict-Transport-Security"]) == is_own
        body = REQUEST.format(address="bob@example.org", schema=OUTLOOK)
        for folder in ("autodiscover", "Autodiscover", "AutoDiscover"):
            path = f"/{folder}/{folder}.xml"
            answer, document = ask("https", "POST", path, host, body)
            assert (answer.status, len(read_autodiscover(document))) == (200, 4)
        answer, _body = ask("https", "POST", "/autodiscover/autodiscover.xml", host, "x" * 9000)
        assert answer.status == 413
    answer, _body = ask("http", "GET", "/autodiscover/autodiscover.xml", HOSTS[1])
    assert answer.status == 302
    assert answer.headers["Location"] == "https://panel.example.org/autodiscover/autodiscover.xml"
    for host in HOSTS[:2]:
        for path in ("/", "/login/", "/domains/", "/mail", "/healthz", "/mailboxes/"):
            for scheme in ("http", "https"):
                assert ask(scheme, "GET", path, host)[0].status == 404, (scheme, host, path)
    answer, _body = ask("http", "GET", AUTOCONFIG_URLS[0], "autoconfig.unknown.example")
    assert answer.status == 404
    assert ask("https", "GET", "/login/", HOSTS[2])[0].status == 200
    assert ask("https", "GET", "/mailboxes/a%2Fb@example.org/", HOSTS[2])[0].status == 302


def test_nginx_limits_how_often_a_client_may_ask(web_server):
    if not isinstance(web_server, Nginx):
        return
    path = f"{AUTOCONFIG_URLS[0]}?emailaddress=bob@example.org"
    found = [web_server.ask("http", "GET", path, HOSTS[0])[0].status for _number in range(60)]
    assert {200, 503} == set(found)
    assert found.count(200) < 40
