"""Users and rows shared by the tests.

root is a superadmin. alice administers example.org. bob has a mailbox there. carol has one at
example.com, which alice must never see.
"""

import functools
import json
import time
from urllib.parse import quote, urlencode

from django.test import Client, TestCase
from django.utils import timezone

from domains.models import Admin, Domain
from domains.services.admins import create_admins
from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import PROOF_KEY
from mailadmin.api.tokens import create_token, generate_token
from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.jobs.leases import hold_leases
from mailadmin.jobs.runner import advance_job
from mailboxes.models import Mailbox, MaildirRun
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes

PASSWORD = "correct-horse-42"
BACKENDS = {
    Admin: "mailadmin.accounts.backends.AdminBackend",
    Mailbox: "mailadmin.accounts.backends.MailboxBackend",
}


def run_job(job, should_stop=lambda: False):
    """Run steps of a job until there are no more, or it should stop."""
    has_more = True
    while has_more and not should_stop():
        with hold_leases(job):
            has_more = advance_job(job)


def build_world():
    """Create the four users, their domains and an alias in each."""
    console, stored = Actor.console(), passwords.make_hash(PASSWORD)
    for name in ("example.org", "example.com"):
        perform(console, create_domains, [{"domain": name, "default_aliases": False}])
        domain = Domain.objects.get(pk=name)
        owner = "bob" if name == "example.org" else "carol"
        mailbox = {"local_part": owner, "domain": domain, "password": stored, "quota": 100}
        perform(console, create_mailboxes, [mailbox | {"name": owner.title()}])
        alias = {"local_part": "info", "domain": domain, "goto": [f"{owner}@{name}"]}
        perform(console, create_aliases, [alias])
    admins = [
        {"username": "root@example.net", "password": stored, "superadmin": True},
        {"username": "alice@example.org", "password": stored, "domains": ["example.org"]},
    ]
    perform(console, create_admins, admins)
    # Or the home page of root says that none has run
    now = timezone.now()
    MaildirRun.objects.create(storage="mail", host="mail", finished=now, scanned=now)


def give_proof(client):
    """Have a session pass as one in which the person has just proved who they are."""
    session = client.session
    session[PROOF_KEY] = int(time.time())
    session.save()


class ApiClient:
    """Client of the API with a bearer token."""

    def __init__(self, token):
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def request(self, method, place, body=None, headers=None, **query):
        url = f"/api/v1/{quote(place)}" + (f"?{urlencode(query)}" if query else "")
        sent = body if isinstance(body, (str, bytes)) else json.dumps(body)
        request = getattr(self.client, method)
        if method in ("get", "head") or body is None:
            return request(url, headers=headers)
        return request(url, sent, content_type="application/json", headers=headers)

    def __getattr__(self, method):
        return functools.partial(self.request, method)


class World(TestCase):
    """Base class of tests with the four users."""

    @classmethod
    def setUpTestData(cls):
        build_world()
        cls.root = Admin.objects.get(pk="root@example.net")
        cls.alice = Admin.objects.get(pk="alice@example.org")
        cls.bob = Mailbox.objects.get(pk="bob@example.org")
        cls.carol = Mailbox.objects.get(pk="carol@example.com")
        Log.objects.all().delete()
        Change.objects.all().delete()

    def sign_in(self, person):
        self.client.force_login(person, backend=BACKENDS[type(person)])
        give_proof(self.client)
        return person

    def actor(self, person):
        return Actor(person, person.username, "192.0.2.7")

    def token(self, person, **limits):
        """Create a token with all rights of this user unless limited, and return its text."""
        text = generate_token()
        limits = {"name": "script", "domains": []} | limits
        self.perform(person, create_token, person, limits, text)
        return text

    def api(self, person, **limits):
        """Return an API client of this user: `self.api(self.alice).get("mailboxes")`."""
        return ApiClient(self.token(person, **limits))

    def perform(self, person, service, *arguments):
        return perform(self.actor(type(person).objects.get(pk=person.pk)), service, *arguments)

    def get_user_of_role(self, role):
        return {Role.SUPERADMIN: self.root, Role.ADMIN: self.alice, Role.MAILBOX: self.bob}[role]

    def logged(self):
        return list(Log.objects.order_by("pk").values_list("action", "domain_id", "data"))

    def assert_refused(self, response, text=""):
        """Assert that the form is shown again, with this text."""
        self.assertEqual(response.status_code, 422, response)
        self.assertContains(response, text, status_code=422)
