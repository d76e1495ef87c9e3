"""DNS records for mail programs, as another program parses them, and the page that shows them."""

import html
import re

import dns.zone
from django.test import override_settings

from domains.services.domains import edit_domain
from mailadmin.changes.perform import Actor, perform
from mailadmin.conf.client_servers import ServicePort
from mailboxes.client_setup.dns_records import format_zone
from mailboxes.client_setup.servers import get_client_servers
from tests.base import World

URL = "/domains/example.org/dns/"
PANEL = "https://panel.example.net"


def parse(domain="example.org"):
    """Return name → the data of its records, from the zone."""
    text = format_zone(domain, get_client_servers(domain))
    zone = dns.zone.from_text(text, origin=f"{domain}.", check_origin=False, relativize=False)
    found = {}
    for name, _ttl, data in zone.iterate_rdatas():
        found.setdefault(str(name).removesuffix(f".{domain}."), []).append(data)
    return found


def srv(records, service):
    return [
        (each.priority, each.weight, each.port, str(each.target))
        for each in records[f"{service}._tcp"]
    ]


@override_settings(MAILADMIN_MAIL_HOST="mail.{domain}", MAILADMIN_URL=PANEL)
class RecordTests(World):
    def test_services_and_their_targets(self):
        records = parse()
        assert srv(records, "_imaps") == [(0, 1, 993, "mail.example.org.")]
        assert srv(records, "_pop3s") == [(10, 1, 995, "mail.example.org.")]
        assert srv(records, "_submissions") == [(0, 1, 465, "mail.example.org.")]
        assert srv(records, "_submission") == [(10, 1, 587, "mail.example.org.")]
        for service in ("_imap", "_pop3", "_sieve"):
            assert srv(records, service) == [(0, 0, 0, ".")]
        assert srv(records, "_autodiscover") == [(0, 1, 443, "panel.example.net.")]
        for name in ("autoconfig", "autodiscover"):
            assert [str(each.target) for each in records[name]] == ["panel.example.net."]

    def test_other_ports_and_sieve(self):
        ports = {
            "MAILADMIN_MAIL_IMAP": (ServicePort(143, "starttls"), ServicePort(993, "tls")),
            "MAILADMIN_MAIL_SIEVE": (ServicePort(4190, "starttls"),),
        }
        with self.settings(**ports):
            records = parse("xn--bcher-kva.example")
        target = "mail.xn--bcher-kva.example."
        assert srv(records, "_imap") == [(0, 1, 143, target)]
        assert srv(records, "_imaps") == [(10, 1, 993, target)]
        assert srv(records, "_sieve") == [(0, 1, 4190, target)]

    def test_outlook_needs_https_and_a_host_name(self):
        for url, names in (
            ("http://panel.example.net:8000", {"autoconfig"}),
            ("https://192.0.2.1", set()),
            (None, set()),
        ):
            with self.settings(MAILADMIN_URL=url):
                found = {name for name in parse() if "auto" in name}
                assert found == names, url

    def test_the_page_shows_records_to_copy(self):
        self.sign_in(self.alice)
        page = self.client.get(URL)
        self.assertContains(page, '<code id="record-1">0 1 993 mail.example.org.</code>')
        self.assertContains(page, 'data-copy-from="#record-1"')
        zone = re.search(r'<pre class="sql" id="zone">(.*?)</pre>', page.content.decode(), re.S)[1]
        assert html.unescape(zone) == format_zone("example.org", get_client_servers("example.org"))
        self.assertContains(self.client.get("/domains/example.org/"), f'href="{URL}"')

    def test_the_page_is_for_admins_of_the_domain(self):
        self.sign_in(self.alice)
        assert self.client.get("/domains/example.com/dns/").status_code == 404
        self.sign_in(self.bob)
        assert self.client.get(URL).status_code == 403
        self.client.logout()
        assert self.client.get(URL).status_code == 302

    def test_the_page_says_why_nothing_is_set_up(self):
        self.sign_in(self.root)
        for values in ({"active": False}, {"active": True, "backupmx": True}):
            perform(Actor.console(), edit_domain, "example.org", values)
            self.assertContains(self.client.get(URL), "Mail programs are not set up")
        perform(Actor.console(), edit_domain, "example.org", {"backupmx": False})
        self.assertNotContains(self.client.get(URL), "Mail programs are not set up")

    def test_the_page_names_missing_settings_to_superadmins(self):
        cases = (
            ({"MAILADMIN_MAIL_HOST": None}, "Set MAILADMIN_MAIL_HOST"),
            ({"MAILADMIN_URL": None}, "Set MAILADMIN_URL to see"),
            ({"MAILADMIN_URL": "http://panel.example.net"}, "Set MAILADMIN_URL to an https"),
        )
        for given, text in cases:
            with self.settings(**given):
                self.sign_in(self.root)
                self.assertContains(self.client.get(URL), text)
                self.sign_in(self.alice)
                self.assertNotContains(self.client.get(URL), "Set MAILADMIN")
