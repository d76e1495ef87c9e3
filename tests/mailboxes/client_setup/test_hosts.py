"""The documents under the host names of hosted domains, and that nothing else is served there."""

import pytest
from django.test import Client, RequestFactory, SimpleTestCase, override_settings

from mailadmin.access_matrix import list_pages
from mailadmin.foreign_hosts import answers_foreign_hosts, get_own_host, parse_foreign_host
from tests.base import World
from tests.mailboxes.client_setup.mail_programs import (
    AUTOCONFIG_URLS,
    ask_autodiscover,
    read_autoconfig,
    read_autodiscover,
)
from tests.started_panel import HTTPS, panel

DOCUMENTS = {
    "autoconfig",
    "autoconfig-of-domain",
    "autodiscover",
    "autodiscover-json",
    "autodiscover-json-address",
    "mobileconfig",
}
OURS = (
    "example.org",
    "autoconfig.example.org",
    "autodiscover.example.org",
    "AUTOCONFIG.Example.ORG",
)
FOREIGN = (
    "unknown.example",
    "autoconfig.unknown.example",
    "www.example.org",
    "autoconfig.autoconfig.example.org",
    "example.org.evil.example",
    "192.0.2.1",
    "[2001:db8::1]",
    "a" * 300,
    "..",
)
INVALID = ("exa mple.org", "example.org/x", "example.org:x", "<x>", "@example.org")


@override_settings(MAILADMIN_MAIL_HOST="mail.{domain}", ALLOWED_HOSTS=["panel.example.net"])
class HostTests(World):
    def setUp(self):
        self.client = Client()

    def get(self, url, host, **more):
        return self.client.get(url, headers={"host": host}, **more)

    def test_a_document_without_an_address_is_that_of_the_host(self):
        for host in OURS:
            for url in AUTOCONFIG_URLS:
                for port in ("", ":8443"):
                    servers = read_autoconfig(self.get(url, host + port).content)
                    assert servers[0]["hostname"] == "mail.example.org"

    def test_the_domain_of_an_address_counts_before_that_of_the_host(self):
        url = f"{AUTOCONFIG_URLS[0]}?emailaddress=carol@example.com"
        for host in (OURS[0], "panel.example.net"):
            servers = read_autoconfig(self.get(url, host).content)
            assert servers[0]["hostname"] == "mail.example.com"

    def test_autodiscover_by_the_names_that_outlook_tries(self):
        for host in OURS:
            answer = ask_autodiscover(self.client, "x@example.org", headers={"host": host})
            assert len(read_autodiscover(answer.content)) == 4
            url = "/autodiscover/autodiscover.json?Email=x@example.org&Protocol=AutodiscoverV1"
            expected = f"https://{host}/autodiscover/autodiscover.xml"
            assert self.get(url, host).json()["Url"] == expected.replace(host, host.lower())

    def test_other_hosts_get_nothing_even_for_a_hosted_domain(self):
        for host in FOREIGN:
            for url in AUTOCONFIG_URLS:
                assert self.get(url, host).status_code == 404, host
                assert self.get(f"{url}?emailaddress=x@example.org", host).status_code == 404, host
            answer = ask_autodiscover(self.client, "x@example.org", headers={"host": host})
            assert answer.status_code == 404
            assert self.get("/autodiscover/autodiscover.xml", host).status_code == 404

    def test_invalid_hosts_are_refused_as_everywhere(self):
        for host in INVALID:
            assert self.get(AUTOCONFIG_URLS[0], host).status_code == 400, host

    def test_every_other_page_refuses_the_names_of_hosted_domains(self):
        self.sign_in(self.root)
        for url in ("/", "/login/", "/domains/", "/api/v1/domains", "/mail/", "/autodiscover/"):
            for host in (*OURS, *FOREIGN):
                assert self.get(url, host).status_code == 400, (url, host)

    def test_the_panels_own_host_keeps_its_name(self):
        request = RequestFactory(headers={"host": "panel.example.net"}).get("/")
        assert parse_foreign_host(request) == ""
        assert self.get("/login/", "panel.example.net").status_code == 200
        with self.settings(ALLOWED_HOSTS=["*"]):
            assert read_autoconfig(self.get(AUTOCONFIG_URLS[0], "example.org").content)

    def test_the_sites_of_customers_are_not_bound_to_https(self):
        with self.settings(SECURE_HSTS_SECONDS=9, SECURE_HSTS_INCLUDE_SUBDOMAINS=True):
            client = Client(headers={"host": "example.org"})
            answer = client.get(AUTOCONFIG_URLS[1], secure=True)
            assert answer.status_code == 200
            assert "Strict-Transport-Security" not in answer
            answer = self.get("/login/", "panel.example.net", secure=True)
            assert "Strict-Transport-Security" in answer


class OwnHostTests(SimpleTestCase):
    def test_the_host_that_stands_for_foreign_ones(self):
        for hosts, own in (
            (["localhost"], "localhost"),
            (["*", ".example.net"], "example.net"),
            (["*"], ""),
            ([], ""),
        ):
            with self.settings(ALLOWED_HOSTS=hosts):
                assert get_own_host() == own

    def test_the_documents_alone_answer_foreign_hosts(self):
        names = {
            page.name for page in list_pages() if getattr(page.view, "answers_foreign_hosts", False)
        }
        assert names == DOCUMENTS
        assert answers_foreign_hosts("/Autodiscover/AutoDiscover.XML")
        assert not answers_foreign_hosts("/Mail/config-v1.1.xml")
        assert not answers_foreign_hosts("/login/")


REDIRECTS = """
import django; django.setup()
from django.conf import settings; from django.test import Client
settings.MAILADMIN_MAIL_HOST = None
for path in ("login/", "mail/config-v1.1.xml", ".well-known/autoconfig/mail/config-v1.1.xml",
             "mail/profile.mobileconfig", "AutoDiscover/AutoDiscover.xml", "mail/config-v1.1.xmlx"):
    print(Client(headers={"host": "panel.example.org"}).get("/" + path).status_code)
"""


@pytest.mark.sqlite
def test_documents_for_hosts_without_a_certificate_are_served_by_http():
    shown = panel("-c", REDIRECTS, MAILADMIN_URL=HTTPS, DJANGO_SETTINGS_MODULE="mailadmin.settings")
    assert shown.stdout.split() == ["301", "404", "404", "301", "404", "301"], shown.stderr
