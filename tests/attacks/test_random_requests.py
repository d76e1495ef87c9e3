"""Random admins, domains and sequences of requests: nothing outside the own domains, no secret."""

import contextlib
import io
import logging

from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from domains.models import Admin
from domains.services.admins import create_admins
from mailadmin import passwords, registry
from mailadmin.accounts.factors.models import Passkey, RecoveryCode, get_owner_columns
from mailadmin.api.models import Token
from mailadmin.api.tokens import create_token, generate_token
from mailadmin.changes.perform import Actor, perform
from mailadmin.jobs.models import Job
from mailboxes.models import Mailbox
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes
from tests.base import BACKENDS, PASSWORD, ApiClient, World, run_job

# Names of which none is a part of another, nor of a text of the panel.
NAMES = ("quokka.test", "wombat.test", "numbat.test", "dingo.test")
ADMIN = "keeper@zoo.test"
NEW_PASSWORD = "different-zebra-77"  # noqa: S105 (of a test)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
DOMAINS = st.sampled_from(NAMES)
QUERIES = st.sampled_from(["", "%", "_", "test", "info", "user", *NAMES])
SLUGS = st.sampled_from(["domains", "mailboxes", "aliases", "alias-domains", "log"])
SCREENS = st.sampled_from(["edit", "delete", "toggle", "", "vacation", "forwarding", "ready"])
ACTIONS = st.sampled_from(["delete", "activate", "deactivate"])
REQUESTS = st.one_of(
    st.tuples(st.just("list"), SLUGS, QUERIES, DOMAINS),
    st.tuples(st.just("export"), SLUGS, QUERIES, DOMAINS),
    st.tuples(st.just("search"), SLUGS, QUERIES, DOMAINS),
    st.tuples(st.just("open"), SLUGS, SCREENS, DOMAINS),
    st.tuples(st.just("post"), SLUGS, SCREENS, DOMAINS),
    st.tuples(st.just("create"), SLUGS, DOMAINS, DOMAINS),
    st.tuples(st.just("bulk"), SLUGS, ACTIONS, DOMAINS),
    st.tuples(st.just("explain"), SLUGS, QUERIES, DOMAINS),
    st.tuples(st.just("api"), SLUGS, st.sampled_from(["get", "patch", "delete", "post"]), DOMAINS),
)


def key_of(slug, name):
    return {"mailboxes": f"user@{name}", "aliases": f"info@{name}"}.get(slug, name)


def owner_of(name):
    """Return the name of the person of a domain's mailbox, which nobody sends."""
    return f"{name.partition('.')[0].title()}son"


class RandomRequestTests(World, HypothesisTestCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.stored = passwords.make_hash(PASSWORD)

    def build(self, own):
        """Create the domains, with rows in each, and an admin of some of them."""
        console = Actor.console()
        rows = [{"domain": name, "default_aliases": False} for name in NAMES]
        perform(console, create_domains, rows)
        domains = {row.pk: row for row in registry.tables["domains"].model.objects.all()}
        mailboxes = [
            {
                "local_part": "user",
                "domain": domains[name],
                "password": self.stored,
                "name": owner_of(name),
            }
            for name in NAMES
        ]
        perform(console, create_mailboxes, mailboxes)
        aliases = [
            {"local_part": "info", "domain": domains[name], "goto": [f"user@{name}"]}
            for name in NAMES
        ]
        perform(console, create_aliases, aliases)
        row = {"username": ADMIN, "password": self.stored, "domains": sorted(own)}
        perform(console, create_admins, [row])
        self.admin = Admin.objects.get(pk=ADMIN)
        self.text = generate_token()
        perform(console, create_token, self.admin, {"name": "x", "domains": []}, self.text)
        self.program = ApiClient(self.text)
        self.client = Client()
        self.sign_in(self.admin)

    def add_secrets(self):
        """Give everybody secrets of all kinds; return all that no answer may contain."""
        for number, person in enumerate([self.admin, *Mailbox.objects.all()]):
            secret = f"SECRETSECRET{number}TOTP"
            type(person).objects.filter(pk=person.pk).update(totp_secret=secret)
            owner = get_owner_columns(person)
            RecoveryCode.objects.create(digest=f"{number}recoverydigest", **owner)
            key = f"{number}publickeyofpasskey"
            Passkey.objects.create(
                name="x", digest=f"{number}digest", credential_id="eA", public_key=key, **owner
            )
        found = [PASSWORD, NEW_PASSWORD, self.text]
        found += ["SECRETSECRET", "recoverydigest", "publickeyofpasskey"]
        found += Token.objects.values_list("digest", flat=True)
        found += Session.objects.values_list("pk", flat=True)
        found += Mailbox.objects.values_list("password", flat=True)
        return [*found, *Admin.objects.values_list("password", flat=True)]

    def send(self, kind, slug, word, name):
        key, filled = key_of(slug, name), self.fill(name)
        match kind:
            case "list" | "export":
                place = "" if kind == "list" else "export/"
                return self.client.get(f"/{slug}/{place}", {"q": word, "domain": name})
            case "search":
                return self.client.get("/search/", {"q": word or name})
            case "open":
                return self.client.get(f"/{slug}/{key}/{word}/".replace("//", "/"))
            case "post":
                return self.client.post(f"/{slug}/{key}/{word}/".replace("//", "/"), filled)
            case "create":
                return self.client.post(f"/{slug}/create/", filled)
            case "bulk":
                keys = [key_of(slug, each) for each in (name, *NAMES[:2])]
                data = {"action": word, "keys": keys, "confirmed": "1"}
                return self.client.post(f"/{slug}/bulk/", data)
            case "explain":
                return self.client.get("/explain/", {"address": f"info@{name}"})
        return self.call(word, slug, key, name)

    def fill(self, name):
        return {
            **{"local_part": "new", "domain": name, "goto": f"x@{name}", "active": "on"},
            **{"password": NEW_PASSWORD, "password2": NEW_PASSWORD, "quota": "1", "name": "y"},
            **{"alias_domain": name, "target_domain": NAMES[0], "field": "active", "value": "0"},
            **{"subject": "s", "body": "b", "confirm": name},
        }

    def call(self, method, slug, key, name):
        if method == "post":
            row = {"local_part": "api", "domain": name, "goto": [f"x@{name}"]}
            row |= {"password": NEW_PASSWORD} if slug == "mailboxes" else {}
            return self.program.post(slug, row)
        body = {"active": False} if method == "patch" else None
        return self.program.request(method, f"{slug}/{key}", body)

    def rows_of(self, names):
        """Return all rows of the mail tables that name one of these domains."""
        found = {}
        for table in ("domain", "mailbox", "alias", "alias_domain", "vacation", "domain_admins"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                rows = [repr(row) for row in cursor.fetchall()]
            found[table] = [row for row in rows if any(name in row for name in names)]
        return found

    def read(self, response):
        body = b"".join(response) if response.streaming else response.content
        return body.decode() + repr(dict(response.headers))

    @contextlib.contextmanager
    def logs(self):
        """Collect all log lines, as text."""
        text = io.StringIO()
        handler = logging.StreamHandler(text)
        logging.getLogger().addHandler(handler)
        try:
            yield text
        finally:
            logging.getLogger().removeHandler(handler)

    @FEW
    @given(st.sets(DOMAINS, max_size=3), st.lists(REQUESTS, min_size=4, max_size=12))
    def test_nothing_of_other_domains_is_shown_or_changed(self, own, requests):
        self.build(own)
        foreign = set(NAMES) - own
        before = self.rows_of(foreign)
        for kind, slug, word, name in requests:
            text = self.read(self.send(kind, slug, word, name))
            sent = {name, word, *(NAMES[:2] if kind in ("bulk", "create", "post") else ())}
            for each in foreign - sent:
                self.assertNotIn(each, text, (kind, slug, word, name))
            for each in foreign:  # what was sent may be repeated, without what is behind it
                self.assertNotIn(owner_of(each), text, (kind, slug, word, name))
        after = self.rows_of(foreign)
        for table, rows in before.items():
            # A new row of the own domains may name foreign addresses, as any mail can.
            self.assertEqual(set(rows) - set(after[table]), set(), table)

    @FEW
    @given(st.lists(REQUESTS, min_size=4, max_size=12))
    def test_no_secret_is_in_any_answer_or_record(self, requests):
        self.build(NAMES)
        secrets = set(self.add_secrets())
        with self.logs() as logs:
            answers = [self.read(self.send(*request)) for request in requests]
            for job in Job.objects.all():
                run_job(job)
        records = []
        for table in connection.introspection.table_names():
            if table in ("log", "mailadmin_change", "mailadmin_job", "mailadmin_outgoing_mail"):
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                    records += map(repr, cursor.fetchall())
        cookies = {value.value for value in self.client.cookies.values()}
        for secret in secrets - cookies - {""}:
            for text in (*answers, *records, logs.getvalue()):
                self.assertNotIn(secret, text)

    def test_the_admin_is_signed_in_and_sees_the_own_rows(self):
        """Or the tests above would hold for nothing."""
        self.build({NAMES[0]})
        text = self.read(self.send("list", "mailboxes", "", NAMES[0]))
        self.assertIn(f"user@{NAMES[0]}", text)
        self.assertEqual(self.call("patch", "mailboxes", f"user@{NAMES[0]}", "").status_code, 200)
        self.assertIn(type(self.admin), BACKENDS)
