"""Requests that a browser sends for somebody else.

Classes: changes without a CSRF token, the API by cookie included (CVE-2023-0406, -0438, -2228,
-5690); the API open without a token (CVE-2023-2227); open redirects (CVE-2026-40878, allauth 0.61);
the Host header in links (HestiaCP #748); the address of a document taken from the query
(CVE-2022-39258); no page names the database before the login (PostfixAdmin #402, #494).
"""

from django.test import Client, override_settings

from mailadmin.access_matrix import list_pages
from mailadmin.mails.messages import build_message
from mailadmin.mails.models import OutgoingMail
from tests.attacks.access_checks import read_rows
from tests.attacks.matrix import OWN, MatrixWorld, Visitor
from tests.base import BACKENDS, PASSWORD
from tests.mailadmin.factor_world import FactorWorld

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "http:evil.example",
    "javascript:alert(1)",
    "https:///evil.example",
    "https://testserver@evil.example/",
    "https://testserver.evil.example/",
    "\x00//evil.example/",
]


def leads_elsewhere(response):
    place = response.get("Location", "")
    return "evil" in place.split("?")[0] or place.startswith(("javascript", "//", "/\\", "\\"))


@override_settings(MAILADMIN_URL="https://mail.example.net")
class CsrfTests(MatrixWorld):
    # Without a session: the provider sends its own signature, and Roundcube a password; mail
    # programs only ask. XML is no form that another site could make a browser send.
    WITHOUT_TOKEN = ("oidc-logout", "autodiscover", "password-api", "xmlrpc")

    def test_no_page_changes_anything_without_the_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.root, backend=BACKENDS[type(self.root)])
        before, visitor = read_rows(), Visitor(self.root.pk, self.root)
        for page in list_pages():
            if page.is_api or page.name in (*self.WITHOUT_TOKEN, "api-not-found"):
                continue
            url = self.url_of(page, visitor, OWN)
            for method in ("post", "put", "patch", "delete"):
                for extra in ({}, {"headers": {"Origin": "https://evil.example"}}):
                    response = getattr(client, method)(url, {"action": "delete"}, **extra)
                    self.assertEqual(response.status_code, 403, (method, url))
        self.assertEqual(read_rows(), before)

    def test_the_api_takes_no_cookie(self):
        client = Client()
        client.force_login(self.root, backend=BACKENDS[type(self.root)])
        before, visitor = read_rows(), Visitor(self.root.pk, self.root)
        for page in list_pages():
            if not page.is_api:
                continue
            url = self.url_of(page, visitor, OWN)
            for method in page.methods:
                response = getattr(client, method)(url, {}, content_type="application/json")
                self.assertEqual(response.status_code, 401, (method, url))
        self.assertEqual(read_rows(), before)

    def test_a_get_changes_nothing(self):
        """Whatever it says, in its query or in headers of another method."""
        client = Client(headers={"X-HTTP-Method-Override": "POST"}, raise_request_exception=False)
        client.force_login(self.root, backend=BACKENDS[type(self.root)])
        visitor = Visitor(self.root.pk, self.root)
        query = {"_method": "DELETE", "action": "delete", "confirmed": "1", "active": "0"}
        names = ("domain", "mailbox", "alias", "admin", "log", "mailadmin_token_name", "transport")
        before = {name: rows for name, rows in read_rows().items() if name in names}
        for page in list_pages():
            client.get(self.url_of(page, visitor, OWN), query)
        after = {name: rows for name, rows in read_rows().items() if name in names}
        self.assertEqual(after, before)


class RedirectTests(FactorWorld):
    def test_no_sign_in_leads_to_another_site(self):
        for target in ELSEWHERE:
            client = Client()
            response = self.log_in(self.bob.pk, client=client)
            data = {"username": self.bob.pk, "password": PASSWORD, "next": target}
            for response in (
                Client().post("/login/", data),
                self.confirm(client, target=target),
                client.post("/language/", {"language": "de", "next": target}),
                client.get("/login/", {"next": target}),
            ):
                self.assertFalse(leads_elsewhere(response), (target, response.get("Location")))

    def test_no_second_step_leads_to_another_site(self):
        _secret, codes = self.set_up_totp(self.client_of(self.bob))
        for target, code in zip(ELSEWHERE, codes, strict=False):
            client = Client()
            data = {"username": self.bob.pk, "password": PASSWORD, "next": target}
            client.post("/login/", data)
            response = client.post("/login/code/", {"code": code})
            self.assertEqual(response.status_code, 302)
            self.assertFalse(leads_elsewhere(response), target)

    def test_no_toggle_leads_to_another_site(self):
        client = self.client_of(self.alice)
        for target in ELSEWHERE:
            data = {"field": "active", "value": "1", "next": target}
            response = client.post("/mailboxes/bob@example.org/toggle/", data)
            self.assertFalse(leads_elsewhere(response), target)

    def test_paths_with_two_slashes_lead_to_no_other_site(self):
        for path in ("//evil.example", "//evil.example/..", "///evil.example", "/%2f/evil.example"):
            for client in (Client(), self.client_of(self.bob)):
                self.assertFalse(leads_elsewhere(client.get(path)), path)


class HostTests(FactorWorld):
    @override_settings(ALLOWED_HOSTS=["mail.example.net", "testserver"])
    def test_an_unknown_host_is_refused(self):
        for headers in ({"HTTP_HOST": "evil.example"}, {"HTTP_HOST": "mail.example.net.evil"}):
            self.assertEqual(Client().get("/login/", **headers).status_code, 400)

    def test_the_forwarded_host_names_no_page(self):
        client = Client(headers={"X-Forwarded-Host": "evil.example", "X-Host": "evil.example"})
        self.log_in(self.alice.pk, client=client)
        for url in ("/", "/account/", "/account/factors/", "/login/", "/nothing/"):
            response = client.get(url, follow=True)
            self.assertNotContains(response, "evil.example", status_code=response.status_code)

    @override_settings(ALLOWED_HOSTS=["*"])
    def test_mails_name_the_host_of_the_settings(self):
        client = Client(headers={"Host": "evil.example"})
        self.log_in(self.alice.pk, client=client)
        self.set_up_totp(client)
        mails = list(OutgoingMail.objects.filter(recipient=self.alice.pk))
        self.assertTrue(mails)
        for mail in mails:
            message = build_message(mail)
            text = message.body + repr(message.alternatives) + repr(message.extra_headers)
            self.assertIn("alice@example.org", text)
            self.assertNotIn("evil.example", text)

    def test_the_uri_of_a_new_app_names_the_host_of_the_settings(self):
        client = Client(headers={"Host": "testserver", "X-Forwarded-Host": "evil.example"})
        self.log_in(self.bob.pk, client=client)
        page = client.get("/account/factors/totp/")
        self.assertIn("issuer=mail.example.net", page.context["uri"])


class StrangerTests(FactorWorld):
    def test_no_page_before_the_login_names_the_database_or_migrates(self):
        for url in ("/login/", "/healthz", "/nothing/", "/api/v1/nothing", "/login/code/"):
            response = Client(raise_request_exception=False).get(url, follow=True)
            text = response.content.decode().lower()
            for word in ("sqlite", "mysql", "mariadb", "migrate", "traceback", "django"):
                self.assertNotIn(word, text, url)

    def test_the_api_page_takes_no_address_of_a_document(self):
        client = self.client_of(self.alice)
        for name in ("url", "configUrl", "spec", "urls.primaryName", "src"):
            response = client.get("/account/api/", {name: "https://evil.example/x.json"})
            self.assertNotContains(response, 'evil.example/x.json"')
