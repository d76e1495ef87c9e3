"""The documents for mail programs: what they say, and that they tell nothing else."""

import plistlib
import re

import pytest
from django.test import Client, SimpleTestCase, override_settings

from domains.models import Domain
from domains.services.alias_domains import create_alias_domains
from domains.services.domains import edit_domain
from mailadmin.changes.perform import Actor, perform
from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.autodiscover import RequestParser
from mailboxes.services.domains import create_domains
from tests.base import World
from tests.mailboxes.client_setup.mail_programs import (
    AUTOCONFIG_URLS,
    MOBILE_SYNC,
    REQUEST,
    ask_autodiscover,
    read_autoconfig,
    read_autodiscover,
)

HOST = override_settings(MAILADMIN_MAIL_HOST="mail.example.net")
NOBODY = "nobody@example.org"
PROFILE = "/mail/profile.mobileconfig"
JSON = "/autodiscover/autodiscover.json"
# A mailbox, an alias and nobody.
ADDRESSES = ("bob@example.org", "info@example.org", NOBODY)


class DocumentTests(World):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        names = ("mirror.example", "xn--bcher-kva.example")
        domains = [{"domain": name, "default_aliases": False} for name in names]
        perform(Actor.console(), create_domains, domains)
        mirror, target = Domain.objects.get(pk=names[0]), Domain.objects.get(pk="example.org")
        row = {"alias_domain": mirror, "target_domain": target}
        perform(Actor.console(), create_alias_domains, [row])

    def setUp(self):
        self.client = Client()

    def urls_of(self, address):
        """Return each document by GET for an address."""
        return (
            *(f"{url}?emailaddress={address}" for url in AUTOCONFIG_URLS),
            f"{PROFILE}?emailaddress={address}",
            f"{JSON}?Email={address}&Protocol=AutodiscoverV1",
            f"{JSON}/v1.0/{address}?Protocol=AutodiscoverV1",
        )

    def get_all(self, address):
        answers = [self.client.get(url) for url in self.urls_of(address)]
        return [*answers, ask_autodiscover(self.client, address)]

    def edit(self, name, **values):
        perform(Actor.console(), edit_domain, name, values)


@HOST
class AutoconfigTests(DocumentTests):
    def test_servers_as_thunderbird_reads_them(self):
        for url in AUTOCONFIG_URLS:
            answer = self.client.get(url, {"emailaddress": "bob@example.org"})
            servers = read_autoconfig(answer.content)
            found = [(each["type"], each["port"], each["socketType"]) for each in servers]
            assert found == [
                ("imap", "993", "SSL"),
                ("pop3", "995", "SSL"),
                ("smtp", "465", "SSL"),
                ("smtp", "587", "STARTTLS"),
            ]
            assert {each["hostname"] for each in servers} == {"mail.example.net"}
            assert {each["username"] for each in servers} == {"%EMAILADDRESS%"}

    @override_settings(
        MAILADMIN_MAIL_HOST="imap.{domain}",
        MAILADMIN_MAIL_IMAP=(ServicePort(1143, "starttls"),),
        MAILADMIN_MAIL_POP3=(),
    )
    def test_what_is_not_offered_is_not_named(self):
        answer = self.client.get(f"{AUTOCONFIG_URLS[0]}?emailaddress={NOBODY}")
        servers = read_autoconfig(answer.content)
        assert [each["type"] for each in servers] == ["imap", "smtp", "smtp"]
        assert (servers[0]["port"], servers[0]["socketType"]) == ("1143", "STARTTLS")
        assert servers[0]["hostname"] == "imap.example.org"

    def test_owners_of_an_alias_domain_sign_in_as_in_its_target(self):
        """Dovecot knows mailboxes only: docs/mail-server.md."""
        answer = self.client.get(f"{AUTOCONFIG_URLS[0]}?emailaddress=bob@mirror.example")
        names = {each["username"] for each in read_autoconfig(answer.content)}
        assert names == {"%EMAILLOCALPART%@example.org"}
        answer = ask_autodiscover(self.client, "bob@mirror.example")
        logins = {each["LoginName"] for each in read_autodiscover(answer.content)}
        assert logins == {"bob@example.org"}
        answer = self.client.get("/mail/profile.mobileconfig?emailaddress=bob@mirror.example")
        (account,) = plistlib.loads(answer.content)["PayloadContent"]
        assert account["EmailAddress"] == "bob@mirror.example"
        assert account["IncomingMailServerUsername"] == "bob@example.org"
        assert account["OutgoingMailServerUsername"] == "bob@example.org"

    def test_international_domains_in_either_spelling(self):
        for name in ("bücher.example", "BÜCHER.example", "xn--bcher-kva.example"):
            answer = self.client.get(AUTOCONFIG_URLS[0], {"emailaddress": f"x@{name}"})
            read_autoconfig(answer.content)
            self.assertContains(answer, "<domain>xn--bcher-kva.example</domain>")
            self.assertContains(answer, "<displayName>bücher.example</displayName>")
            answer = ask_autodiscover(self.client, f"x@{name}")
            servers = read_autodiscover(answer.content)
            assert servers[0]["LoginName"] == "x@xn--bcher-kva.example"


@HOST
class PrivacyTests(DocumentTests):
    def test_every_address_gets_the_same_answer(self):
        seen = set()
        for address in ADDRESSES:
            answers = self.get_all(address)
            assert {each.status_code for each in answers} == {200}
            bodies = [each.content.decode(errors="replace") for each in answers]
            local_part = address.partition("@")[0]
            plain = [
                re.sub(rf"\b{local_part}\b|[0-9A-F]{{8}}-[0-9A-F-]{{27}}", "", x) for x in bodies
            ]
            seen.add(tuple(plain))
        assert len(seen) == 1

    def test_every_address_costs_the_same(self):
        for address in (*ADDRESSES, "x@unknown.example", "bob@mirror.example"):
            for url in self.urls_of(address):
                with self.assertNumQueries(1):
                    self.client.get(url)
            with self.assertNumQueries(1):
                ask_autodiscover(self.client, address)

    def test_domains_that_are_not_hosted_are_not_found(self):
        self.edit("example.com", backupmx=True)
        unknown = ("x@unknown.example", "x@example.com", "x@sub.example.org")
        for address in unknown:
            assert {each.status_code for each in self.get_all(address)} == {404}, address
        assert {each.status_code for each in self.get_all("x@ALL")} == {404, 400}

    def test_an_inactive_domain_is_not_found_and_nor_are_its_alias_domains(self):
        self.edit("example.org", active=False)
        for address in ("bob@example.org", "bob@mirror.example"):
            assert {each.status_code for each in self.get_all(address)} == {404}, address

    def test_an_inactive_alias_domain_is_a_domain_of_its_own(self):
        Domain.objects.get(pk="mirror.example").mirror.delete()
        answer = ask_autodiscover(self.client, "bob@mirror.example")
        logins = {each["LoginName"] for each in read_autodiscover(answer.content)}
        assert logins == {"bob@mirror.example"}

    def test_no_session_and_no_cookie(self):
        for answer in self.get_all("bob@example.org"):
            assert not answer.cookies
            assert "Cookie" not in answer.get("Vary", "")

    def test_nothing_is_served_without_the_name_of_the_mail_server(self):
        with self.settings(MAILADMIN_MAIL_HOST=None):
            for answer in self.get_all("bob@example.org"):
                assert answer.status_code == 404
                assert len(answer.content) < 20

    def test_garbage_is_not_found(self):
        garbage = ("", "@", "x", "x@", "@example.org", "a b@example.org", "x@example.org\x00")
        garbage += (
            "<x>@example.org",
            '"x"@example.org',
            "x@" + "d" * 3000,
            "x" * 300 + "@example.org",
        )
        for text in garbage:
            for url in (PROFILE, JSON):
                data = {"emailaddress": text, "Email": text, "Protocol": "AutodiscoverV1"}
                assert self.client.get(url, data).status_code == 404, text
            assert self.client.get(AUTOCONFIG_URLS[0], {"emailaddress": text}).status_code in (
                (200,) if text.endswith("@example.org") else (404,)
            )

    def test_head_and_other_methods(self):
        for url in self.urls_of(NOBODY):
            answer = self.client.head(url)
            assert (answer.status_code, answer.content) == (200, b"")
            for method in ("post", "put", "delete", "patch"):
                assert getattr(self.client, method)(url).status_code == 405


@HOST
class AutodiscoverTests(DocumentTests):
    def test_servers_as_outlook_reads_them(self):
        servers = read_autodiscover(ask_autodiscover(self.client, "Bob@Example.org").content)
        found = [(each["Type"], each["Port"], each["Encryption"]) for each in servers]
        assert found == [
            ("IMAP", "993", "SSL"),
            ("POP3", "995", "SSL"),
            ("SMTP", "465", "SSL"),
            ("SMTP", "587", "TLS"),
        ]
        assert {each["Server"] for each in servers} == {"mail.example.net"}
        assert {each["LoginName"] for each in servers} == {"bob@example.org"}

    def test_the_path_in_any_letter_case(self):
        for folder in ("autodiscover", "Autodiscover", "AutoDiscover", "AUTODISCOVER"):
            answer = ask_autodiscover(self.client, NOBODY, path=f"/{folder}/{folder}.xml")
            assert len(read_autodiscover(answer.content)) == 4
            url = f"/{folder}/{folder}.json/v1.0/Bob@example.org?Protocol=autodiscoverv1"
            assert self.client.get(url).json() == {
                "Protocol": "AutodiscoverV1",
                "Url": "https://testserver/autodiscover/autodiscover.xml",
            }

    def test_addresses_are_escaped(self):
        answer = ask_autodiscover(self.client, "a&amp;b'c@example.org")
        logins = {each["LoginName"] for each in read_autodiscover(answer.content)}
        assert logins == {"a&b'c@example.org"}
        self.assertContains(answer, "a&amp;b'c@example.org")

    def test_active_sync_is_not_offered(self):
        answer = ask_autodiscover(self.client, NOBODY, schema=MOBILE_SYNC)
        assert read_autodiscover(answer.content) == "601"

    def test_other_protocols_in_json_are_refused(self):
        for protocol in ("ActiveSync", "Ews", "<x>"):
            answer = self.client.get(JSON, {"Email": NOBODY, "Protocol": protocol})
            assert answer.status_code == 400
            assert answer.json()["ErrorCode"] == "InvalidProtocol"
        answer = self.client.get(JSON, {"Email": NOBODY})
        assert answer.json()["ErrorCode"] == "MandatoryParameterMissing"

    def test_a_browser_gets_the_error_of_a_request_without_address(self):
        answer = self.client.get("/autodiscover/autodiscover.xml")
        assert (answer.status_code, read_autodiscover(answer.content)) == (200, "600")

    @override_settings(MAILADMIN_URL="https://panel.example.org")
    def test_outlook_is_redirected_to_https(self):
        answer = self.client.get("/Autodiscover/Autodiscover.xml")
        self.assertRedirects(
            answer,
            "https://panel.example.org/Autodiscover/Autodiscover.xml",
            fetch_redirect_response=False,
        )
        answer = self.client.get("/autodiscover/autodiscover.xml", secure=True)
        assert read_autodiscover(answer.content) == "600"
        answer = self.client.get(JSON, {"Email": NOBODY, "Protocol": "AutodiscoverV1"})
        assert answer.json()["Url"].startswith("https://panel.example.org/")

    def test_requests_that_are_no_xml_or_have_no_address_are_refused(self):
        for body in HOSTILE:
            answer = self.client.post("/autodiscover/autodiscover.xml", body, "text/xml")
            assert (answer.status_code, read_autodiscover(answer.content)) == (400, "600"), body

    def test_a_long_request_is_refused(self):
        body = REQUEST.format(address=NOBODY, schema=" " * 9000)
        answer = self.client.post("/autodiscover/autodiscover.xml", body, "text/xml")
        assert answer.status_code == 413


ENTITY = '<!DOCTYPE x [<!ENTITY a "bob@example.org">]>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "bob@example.org"}">' for n in range(9)
)
HOSTILE = [
    b"",
    b"address=bob@example.org",
    b"{}",
    b"\xff\xfe\x00",
    b"<Autodiscover>",
    b"<a></b>",
    b"<a/>",
    b"<EMailAddress>nobody</EMailAddress>",
    b"<EMailAddress>bob@example.org</EMailAddress><x/>",
    b'<?xml version="1.0" encoding="no-such"?><EMailAddress>bob@example.org</EMailAddress>',
    b'<?xml version="1.0" encoding="hex"?><EMailAddress>bob@example.org</EMailAddress>',
    b'<?xml version="1.0" encoding="euc-jp"?><EMailAddress>bob@example.org</EMailAddress>',
    b"<EMailAddress>&a;</EMailAddress>",
    f"{ENTITY}<EMailAddress>&a;</EMailAddress>".encode(),
    f"{ENTITY}<EMailAddress>bob@example.org</EMailAddress>".encode(),
    f"{EXTERNAL}<EMailAddress>bob@example.org&a;</EMailAddress>".encode(),
    f"<!DOCTYPE x [{LAUGHS}]><EMailAddress>&l8;</EMailAddress>".encode(),
    b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><EMailAddress>bob@example.org</EMailAddress>',
    REQUEST.format(address="<b/>", schema="").encode(),
    REQUEST.format(address="bob@example.org,carol@example.com", schema="").encode(),
]


class RequestParserTests(SimpleTestCase):
    def test_prefixes_and_encodings(self):
        text = "<a:R xmlns:a='x'><a:EMailAddress>\n b@c.de </a:EMailAddress></a:R>"
        assert RequestParser().parse(text.encode()).address == "b@c.de"
        assert RequestParser().parse(text.encode("utf-16")).address == "b@c.de"

    def test_a_document_type_is_refused(self):
        for body in HOSTILE:
            if b"<!DOCTYPE" in body:
                with pytest.raises(ValueError, match="document type"):
                    RequestParser().parse(body)
