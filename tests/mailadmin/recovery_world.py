"""People who have forgotten their passwords, and the links that they are sent."""

from django.test import Client, override_settings

from domains.models import Admin
from mailadmin.accounts.recovery.requests import answer_next_request
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import Mailbox
from tests.mailadmin.factor_world import FactorWorld

URL = "https://mail.example.net"
NEW = "another-horse-42"
BOBS = "bob@elsewhere.example"


def give_recovery_addresses():
    """Give alice and bob addresses at another provider."""
    Mailbox.objects.filter(pk="bob@example.org").update(email_other=BOBS)
    Admin.objects.filter(pk="alice@example.org").update(email_other="alice@elsewhere.example")


def answer_requests():
    """Have the worker answer all requests for links."""
    while answer_next_request():
        pass


def read_links(kind, url):
    """Return (recipient, path of the link) of the mails of this kind, the last one at the end."""
    mails = OutgoingMail.objects.filter(kind=kind).order_by("pk")
    found = [(mail.recipient, unseal_values(mail.sealed_values)["link"]) for mail in mails]
    assert all(link.startswith(f"{url}/login/recover/") for _recipient, link in found), found
    return [(recipient, link.removeprefix(url)) for recipient, link in found]


@override_settings(MAILADMIN_URL=URL)
class RecoveryWorld(FactorWorld):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        give_recovery_addresses()

    def ask(self, name="bob@example.org", client=None, **extra):
        """Ask for a link, and have the worker answer."""
        response = (client or Client()).post("/login/forgot/", {"username": name}, **extra)
        answer_requests()
        return response

    def links(self, kind="recovery_link"):
        return read_links(kind, URL)

    def link(self, name="bob@example.org"):
        self.ask(name)
        return self.links()[-1][1]

    def use(self, link, password=NEW, client=None):
        """Open a link and set a password there; return the last answer."""
        client = client or Client()
        client.get(link)
        data = {"password": password, "password2": password}
        return client.post("/login/recover/", data)

    def assert_ended(self, link):
        """Assert that nobody can set a password by this link."""
        before = dict(Mailbox.objects.values_list("pk", "password"))
        self.assertEqual(Client().get(link, follow=True).status_code, 410)
        self.assertEqual(self.use(link).status_code, 410)
        self.assertEqual(dict(Mailbox.objects.values_list("pk", "password")), before)
