"""Sign-ins of tests at an OpenID Connect provider."""

from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from django.test import override_settings

from mailadmin.accounts.oidc.documents import forget_documents
from tests.base import World
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, running_provider

PANEL = "http://panel.test"
CALLBACK = "/login/oidc/callback/"
INVALID = "The response of the sign-in server is not valid"


class SingleSignOn(World):
    """A panel with a provider; `provider.sign_in_as` says who sits at the browser."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.enterClassContext(running_provider(PANEL))
        cls.enterClassContext(override_settings(**cls.get_settings(cls.provider)))

    @staticmethod
    def get_settings(provider):
        return {
            "MAILADMIN_URL": PANEL,
            "MAILADMIN_OIDC_ISSUER": provider.issuer,
            "MAILADMIN_OIDC_CLIENT_ID": CLIENT_ID,
            "MAILADMIN_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "MAILADMIN_OIDC_NAME": "Example",
        }

    def setUp(self):
        super().setUp()
        forget_documents()
        self.addCleanup(forget_documents)
        self.browser = requests.Session()  # at the provider; `client` is at the panel

    def start(self, client=None, **query):
        """Press the button; return the URL of the provider."""
        answer = (client or self.client).get("/login/oidc/", query)
        self.assertEqual(answer.status_code, 302, answer.content)
        return answer["Location"]

    def visit_provider(self, url):
        """Return the query with which the provider sends the browser back."""
        answer = self.browser.get(url, allow_redirects=False, timeout=10)
        self.assertEqual(answer.status_code, 302, answer.text)
        place = urlsplit(answer.headers["Location"])
        self.assertEqual(f"{place.scheme}://{place.netloc}{place.path}", PANEL + CALLBACK)
        return {name: values[0] for name, values in parse_qs(place.query).items()}

    def come_back(self, query, client=None):
        return (client or self.client).get(CALLBACK + "?" + urlencode(query))

    def sign_in_at_provider(self, address, client=None, verified=True, target="", **claims):
        """Sign in as somebody with these claims; return the panel's response."""
        self.provider.sign_in_as(address, verified, **claims)
        self.browser.cookies.clear()
        query = self.visit_provider(self.start(client, **({"next": target} if target else {})))
        return self.come_back(query, client)

    def get_person(self, client=None):
        """Return who is signed in; None if nobody is."""
        answer = (client or self.client).get("/account/")
        return answer.context["user"] if answer.status_code == 200 else None

    def assert_signed_out(self, client=None):
        self.assertIsNone(self.get_person(client))

    def assert_sign_in_refused(self, answer, text, status=403):
        self.assertContains(answer, text, status_code=status)
        self.assert_signed_out()
