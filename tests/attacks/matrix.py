"""Every URL x method x person x object, with what the declared roles and the scope say of it."""

from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

from django.test import Client
from django.utils import timezone

from domains.models import Admin, DkimKey, DkimSigning, TotpException
from domains.services.admins import create_admins, edit_admin
from domains.services.alias_domains import create_alias_domains
from domains.services.transports import create_transports
from mailadmin import passwords, registry
from mailadmin.access_matrix import DeclaredPage
from mailadmin.accounts.factors.models import Passkey, get_owner_columns
from mailadmin.accounts.models import Role, SignedInSession
from mailadmin.api.models import Token
from mailadmin.api.tokens import create_token, generate_token
from mailadmin.changes.models import Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.jobs.models import Job
from mailadmin.tables.models import SavedFilter
from mailboxes.models import (
    AppPassword,
    AppPasswordLimits,
    Broadcast,
    DeviceLink,
    Fetchmail,
    LeftoverMaildir,
    Mailbox,
    Plan,
    SenderPermission,
    Vacation,
)
from mailboxes.models.app_passwords import GENERATED_PREFIX
from mailboxes.services.domains import create_domains
from tests.base import PASSWORD, World

OWN, FOREIGN, MISSING = "own", "foreign", "missing"
SECRETS_OF_OTHERS = ("zanzibar", "carol@example.com", "dave@example.com")
NUMBERED_MODELS = {
    "saved-filter-delete": SavedFilter,
    "api-job": Job,
    "broadcast": Broadcast,
    "import": Plan,
    "import-plan": Plan,
    "import-refused": Plan,
    "job": Job,
    "mailbox-app-password": AppPassword,
    "mailbox-app-password-revoke": AppPassword,
    "mailbox-device-link-revoke": DeviceLink,
    "own-app-password": AppPassword,
    "own-app-password-revoke": AppPassword,
    "own-device-link-revoke": DeviceLink,
    "own-exception-remove": TotpException,
    "passkey-remove": Passkey,
    "session-end": SignedInSession,
    "token-delete": Token,
}
SEEN_BY_SUPERADMINS = (Broadcast, Job, Plan, Token)  # also those of others
# Ending a session that has ended is no error, so nobody learns which exist.
SILENT = {"session-end"}
# Without debug mode, and without a provider.
SWITCHED_OFF = {"design", "confirm-provider"}
# It asks by a connection of its own, which a test's transaction locks out.
OUTSIDE_TRANSACTION = {"readyz"}


@dataclass(frozen=True)
class Visitor:
    """Somebody who asks: without a login, with a session, or with a token."""

    name: str
    person: Any = None
    token: str = ""
    verbs: tuple[str, ...] = ()

    @property
    def role(self) -> Role:
        return self.person.role if self.person else Role(0)

    @property
    def has_session(self) -> bool:
        return bool(self.person) and not self.token


@dataclass(frozen=True)
class Case:
    """One request and what has to come of it."""

    page: DeclaredPage
    method: str
    visitor: Visitor
    target: str
    url: str
    data: dict = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.visitor.name}: {self.method.upper()} {self.url} ({self.target})"

    @property
    def is_keyed(self) -> bool:
        return "<key:" in self.page.route or "<int:" in self.page.route

    def expect(self) -> str:
        """Return what is expected: public, login, 401, 403, 404, 405, or allowed."""
        if self.page.is_public:
            return "public"
        return self.expect_of_api() if self.page.is_api else self.expect_of_page()

    def expect_of_api(self) -> str:
        methods, view = self.page.methods, self.page.view
        known = {*methods, "head"} if "head" in view.http_method_names else set(methods)
        if self.method not in known:
            return "405"
        if not self.visitor.token:
            return "401"
        verb, screen = self.page.screens.get(self.asked.upper(), ("read", "list"))
        if verb not in self.visitor.verbs:
            return "403"
        if self.visitor.role not in self.page.get_roles(self.asked):
            return "403"
        return self.expect_of_row()

    def expect_of_page(self) -> str:
        if not self.visitor.has_session:
            return "login"
        roles = self.page.get_roles(self.asked)
        if self.visitor.role not in roles:
            return "403"
        view = self.page.view
        known = {*self.page.methods, *(["options"] if "options" in view.http_method_names else [])}
        known |= {"head"} if "get" in known and "head" in view.http_method_names else set()
        if self.method not in known and self.page.name not in SWITCHED_OFF:
            return "405"
        return self.expect_of_row()

    def expect_of_row(self) -> str:
        """Return what is expected of a method that the visitor may use."""
        if self.method == "options" or not self.is_keyed or self.target == OWN:
            return "allowed"
        if self.page.name in SILENT:
            return "allowed"
        if self.target == MISSING:
            return "404"
        return "allowed" if self.sees_all() else "404"

    @property
    def is_of_found_row(self) -> bool:
        return self.is_keyed and self.target == OWN and self.page.name not in SILENT

    def sees_all(self) -> bool:
        model = NUMBERED_MODELS.get(self.page.name)
        if self.page.is_api and model:  # the jobs of this very token
            return False
        return self.visitor.role is Role.SUPERADMIN and (
            model is None or model in SEEN_BY_SUPERADMINS
        )

    @property
    def asked(self) -> str:
        return "get" if self.method == "head" else self.method


def fits(case: Case, expected: str, response: Any) -> bool:
    status = response.status_code
    is_login = status == 302 and response["Location"].startswith("/login/")
    if expected == "public":
        return status < 500 or case.page.name in OUTSIDE_TRANSACTION
    if case.page.name in SWITCHED_OFF and case.visitor.has_session:
        return status in (403, 404)
    if expected == "login":
        return is_login
    if expected == "allowed":
        if case.page.name == "logout":
            return is_login
        refused = (401, 403, 405, *([404] if case.is_of_found_row else []))
        return status < 500 and status not in refused and not is_login
    return status == int(expected)


class MatrixWorld(World):
    """The users with a foreign admin, and a row of each table of their own and of others."""

    token_jobs: ClassVar[dict] = {}

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        console = Actor.console()
        names = ("mirror.example.org", "mirror.example.com")
        domains = [{"domain": name, "default_aliases": False} for name in names]
        domains[1]["description"] = "zanzibar"
        perform(console, create_domains, domains)
        own, foreign = (["example.org", names[0]], ["example.com", names[1]])
        perform(console, edit_admin, cls.alice.pk, {"domains": own})
        stored = passwords.make_hash(PASSWORD)
        row = {"username": "dave@example.com", "password": stored, "domains": foreign}
        perform(console, create_admins, [row])
        cls.alice = Admin.objects.get(pk=cls.alice.pk)
        cls.dave = Admin.objects.get(pk="dave@example.com")
        mirror = registry.tables["domains"].model.objects
        rows = [
            {"alias_domain": mirror.get(pk=a), "target_domain": mirror.get(pk=t)}
            for a, t in zip(names, ("example.org", "example.com"), strict=True)
        ]
        perform(console, create_alias_domains, rows)
        rows = [{"pattern": name, "transport": "lmtp:a"} for name in ("example.org", "example.com")]
        perform(console, create_transports, rows)
        cls.keys = cls.build_keys()
        cls.numbers = {person: cls.build_numbers(person) for person in cls.people()}
        cls.tokens = {
            person: cls.build_tokens(person) for person in (cls.alice, cls.root, cls.dave)
        }

    @classmethod
    def people(cls):
        return cls.root, cls.alice, cls.dave, cls.bob, cls.carol

    @classmethod
    def build_keys(cls):
        """Return table → (a row of alice's, one of dave's)."""
        now = timezone.now()
        slugs = ("log", "totp-exceptions", "sender-permissions", "app-passwords", "fetchmail")
        slugs += ("vacations", "dkim-keys", "dkim-signings", "maildirs")
        pairs = {slug: [] for slug in slugs}
        for name in ("example.org", "example.com"):
            more = {"action": "create_alias", "data": f"x@{name}", "timestamp": now}
            pairs["log"].append(Log.objects.create(domain_id=name, username="root", **more).pk)
            exception = TotpException.objects.create(ip="192.0.2.1", username=name, description="x")
            pairs["totp-exceptions"].append(exception.pk)
            permission = SenderPermission.objects.create(
                address=f"x@{name}",
                domain_id=name,
                mailbox=Mailbox.objects.filter(domain=name).first(),
                mailbox_domain_id=name,
            )
            pairs["sender-permissions"].append(permission.pk)
            entry = Fetchmail.objects.create(
                mailbox=permission.mailbox, domain_id=name, src_server=f"imap.{name}", src_user="x"
            )
            pairs["fetchmail"].append(entry.pk)
            vacation = {"mailbox": permission.mailbox, "subject": "Away", "body": "Later."}
            pairs["vacations"].append(Vacation.objects.create(domain_id=name, **vacation).pk)
            key = DkimKey.objects.create(domain_name_id=name, selector="mail", private_key="x")
            pairs["dkim-keys"].append(key.pk)
            pairs["dkim-signings"].append(DkimSigning.objects.create(author=name, dkim=key).pk)
            maildir = LeftoverMaildir.objects.create(path=f"{name}/x", domain_name=name)
            pairs["maildirs"].append(maildir.pk)
            app_password = AppPassword.objects.create(mailbox=permission.mailbox, description=name)
            pairs["app-passwords"].append(app_password.pk)
        return pairs | {
            "domains": ["example.org", "example.com"],
            "mailboxes": ["bob@example.org", "carol@example.com"],
            "aliases": ["info@example.org", "info@example.com"],
            "alias-domains": ["mirror.example.org", "mirror.example.com"],
            "transports": ["example.org", "example.com"],
            "admins": ["alice@example.org", "dave@example.com"],
        }

    @classmethod
    def build_numbers(cls, person):
        """Return model → the number of a row of this person."""
        owner = get_owner_columns(person)
        is_other = person in (cls.dave, cls.carol)
        text, mailbox = ("zanzibar", cls.carol) if is_other else ("plain", cls.bob)
        rows = [
            SavedFilter(name=text, table="mailboxes", query="q=x", **owner),
            Job(kind="bulk", title=text, owner=person.pk, state=Job.State.FAILED, **owner),
            Broadcast(owner=person.pk, subject=text, text=text, **owner),
            Plan(owner=person.pk, source=text, state=Plan.State.READY, **owner),
            Passkey(name=text, digest=person.pk, credential_id="eA", **owner),
            TotpException(ip="192.0.2.2", username=person.pk, description=text),
            DeviceLink(mailbox_id=mailbox.pk, secret_hash="x", expires=timezone.now()),
            AppPassword(
                mailbox_id=mailbox.pk, description=text, password_hash=GENERATED_PREFIX + text
            ),
        ]
        for row in rows:
            row.save(force_insert=True)
        AppPasswordLimits.objects.create(app_password=rows[-1])
        return {type(row): row.pk for row in rows}

    @classmethod
    def build_tokens(cls, person):
        texts = {}
        for name, verbs in (("read", ["read"]), ("write", [])):
            texts[name] = generate_token()
            limits = {"name": name, "domains": [], "verbs": verbs}
            perform(Actor.console(), create_token, person, limits, texts[name])
            token = Token.objects.latest("pk")
            job = Job.objects.create(kind="bulk", title=name, token=token)
            cls.token_jobs[texts[name]] = job.pk
            cls.numbers[person][Token] = token.pk
        return texts

    def visitors(self):
        found = [Visitor("anonymous")]
        found += [Visitor(person.pk, person) for person in self.people()]
        for person, texts in self.tokens.items():
            verbs = {"read": ("read",), "write": ("read", "create", "edit", "delete")}
            found += [
                Visitor(f"{person.pk}, token to {name}", person, text, verbs[name])
                for name, text in texts.items()
                if person != self.dave
            ]
        return found

    def client_of(self, visitor):
        headers = {"Authorization": f"Bearer {visitor.token}"} if visitor.token else {}
        self.client = Client(headers=headers, raise_request_exception=False)
        if visitor.has_session:
            self.sign_in(visitor.person)
        return self.client

    def targets(self, page):
        return (OWN, FOREIGN, MISSING) if "<key:" in page.route or "<int:" in page.route else (OWN,)

    def url_of(self, page, visitor, target):
        """Return the URL with its parameters filled in; fail if one is unknown."""
        url = page.route
        if "<key:key>" in url:
            own, foreign = self.keys[self.slug_of(page)]
            if visitor.person in (self.dave, self.carol):
                own, foreign = foreign, own
            key = {OWN: own, FOREIGN: foreign, MISSING: "999999"}[target]
            url = url.replace("<key:key>", quote(str(key)))
        if "<int:pk>" in url:
            url = url.replace("<int:pk>", str(self.number_of(page, visitor, target)))
        url = url.replace("<str:table>", "mailboxes").replace("<str:code>", "guessed")
        url = url.replace("<str:name>", "mailbox-alias-missing")
        url = url.replace("<str:address>", "bob@example.org")
        self.assertNotIn("<", url, "a parameter of this URL is unknown to the matrix")
        return url

    def slug_of(self, page):
        if page.table is not None:
            return page.table.slug
        slug = page.route.split("/")[1]
        return {"addresses": "aliases"}.get(slug, slug)

    def number_of(self, page, visitor, target):
        model = NUMBERED_MODELS[page.name]
        if target == MISSING:
            return 999999
        if page.name == "api-job":
            token = visitor.token if target == OWN else self.tokens[self.dave]["read"]
            return self.token_jobs[token or self.tokens[self.alice]["read"]]
        others = {self.alice: self.dave, self.bob: self.carol, self.carol: self.bob}
        person = visitor.person or self.alice
        if target == FOREIGN:
            person = others.get(person, self.alice)
        return self.numbers[person].get(model, 888888)
