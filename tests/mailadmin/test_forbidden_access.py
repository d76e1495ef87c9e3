"""Access to foreign rows, and garbage as input."""

from django.test import Client
from django.urls import get_resolver

from domains.models import Admin, Domain, DomainAdmin
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.changes.models import Log
from mailboxes.models import Alias, Mailbox, Vacation
from tests.base import PASSWORD, World

NUL, SURROGATE = "a\x00b", "\udcff"
GARBAGE = [
    "💥" * 20,
    "пример",
    "ü@ü.example",
    "' OR '1'='1",
    "%s%n%x",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "x" * 5000,
    "-1",
    "9" * 40,
    "NaN",
    "1e999",
    "\x07bell",
    NUL,
    "\n\r\t",
    "a,b;c",
    "null",
]


class ForeignAccessTests(World):
    """alice and bob try every URL of the panel with carol's keys."""

    def test_no_url_accepts_a_foreign_key(self):
        keys = ["example.com", "carol@example.com", "info@example.com", "root@example.net"]
        for person in (self.alice, self.bob):
            self.sign_in(person)
            for pattern in get_resolver().url_patterns:
                route = str(pattern.pattern)
                if "<" not in route or "int:" in route or route.startswith("api/"):
                    continue
                if pattern.name in ("recover-link", "device-link"):  # codes say whose they are
                    continue
                for key in keys:
                    url = "/" + route.replace("<path:key>", key).replace("<str:key>", key)
                    for answer in (self.client.get(url), self.client.post(url, {"active": "0"})):
                        with self.subTest(person=person, url=url):
                            self.assertIn(answer.status_code, (403, 404, 405))
        self.assertEqual(self.logged(), [])

    def test_foreign_domains_in_form_fields_are_refused(self):
        self.sign_in(self.alice)
        passwords = {"password": PASSWORD, "password2": PASSWORD}
        forms = {
            "/mailboxes/create/": {"local_part": "evil", "quota": "1"} | passwords,
            "/aliases/create/": {"local_part": "evil", "goto": "x@y.example"},
        }
        for url, data in forms.items():
            for domain in ("example.com", "EXAMPLE.COM", "nowhere.example", "ALL", "example.com."):
                with self.subTest(url=url, domain=domain):
                    self.assert_refused(self.client.post(url, data | {"domain": domain}))
        for name in ("evil@example.com", "evil@example.com,x"):
            data = forms["/aliases/create/"] | {"domain": "example.org", "local_part": name}
            self.assert_refused(self.client.post("/aliases/create/", data))

    def test_fields_that_the_form_does_not_have_change_nothing(self):
        self.sign_in(self.alice)
        page = self.client.get("/mailboxes/bob@example.org/edit/")
        data = {
            "name": "Robert",
            "quota": "100",
            "active": "on",
            "smtp_active": "on",
            "seen": page.context["form"].initial["seen"],
            "domain": "example.com",
            "local_part": "carol",
            "username": "carol@example.com",
            "maildir": "../../root/",
            "totp_secret": "X",
            "token": "X",
        }
        self.client.post("/mailboxes/bob@example.org/edit/", data)
        bob = Mailbox.objects.get(pk=self.bob.pk)
        self.assertEqual(bob.name, "Robert")
        self.assertEqual(
            (bob.domain_id, bob.local_part, bob.maildir, bob.totp_secret),
            ("example.org", "bob", self.bob.maildir, None),
        )

    def test_a_toggle_changes_allowed_fields_only(self):
        self.sign_in(self.root)
        for field in ("password", "superadmin", "username", "", "totp_secret", "active; DROP"):
            answer = self.client.post(
                "/admins/alice@example.org/toggle/", {"field": field, "value": "1"}
            )
            self.assertEqual(answer.status_code, 400, field)
        self.assertFalse(Admin.objects.get(pk=self.alice.pk).superadmin)

    def test_alice_cannot_assign_herself_a_domain(self):
        self.sign_in(self.alice)
        for url in ("/admins/create/", "/admins/alice@example.org/edit/", "/domains/create/"):
            self.assertEqual(self.client.post(url, {"domains": "example.com"}).status_code, 403)
        self.assertEqual(DomainAdmin.objects.filter(admin=self.alice).count(), 1)

    def test_search_and_picker_show_own_rows_only(self):
        self.sign_in(self.alice)
        for url in ("/search/?q=example", "/domains/pick/?q=exam", "/search/?q=carol"):
            self.assertNotContains(self.client.get(url), "example.com")

    def test_the_domain_page_shows_no_foreign_admins(self):
        self.sign_in(self.alice)
        self.assertEqual(self.client.get("/domains/example.com/").status_code, 404)
        self.assertNotContains(self.client.get("/"), "example.com")

    def test_bob_cannot_change_another_vacation(self):
        self.sign_in(self.bob)
        data = {"username": "carol@example.com", "key": "carol@example.com", "goto": "x@y.example"}
        self.client.post("/account/vacation/", data)
        self.client.post("/account/forwarding/", data)
        self.assertEqual(Alias.objects.get(pk="carol@example.com").goto, "carol@example.com")
        self.assertFalse(Vacation.objects.filter(pk="carol@example.com").exists())

    def test_post_requires_the_csrf_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.root, backend="mailadmin.accounts.backends.AdminBackend")
        for url in ("/domains/example.org/delete/", "/mailboxes/bulk/", "/logout/"):
            self.assertEqual(client.post(url, {}).status_code, 403)
        self.assertTrue(Domain.objects.filter(pk="example.org").exists())

    def test_every_page_has_a_content_security_policy(self):
        self.sign_in(self.root)
        for url in ("/", "/mailboxes/create/", "/log/", "/nothing/"):
            policy = self.client.get(url)["Content-Security-Policy"]
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)

    def test_no_page_is_cached(self):
        self.sign_in(self.root)
        for url in ("/", "/mailboxes/", "/mailboxes/export/", "/login/"):
            self.assertIn("no-store", self.client.get(url)["Cache-Control"])

    def test_no_page_shows_a_secret(self):
        self.sign_in(self.root)
        secrets = [self.bob.password, self.root.password]
        for table in registry.menu():
            for url in (table.url("list"), table.url("export")):
                answer = self.client.get(url)
                text = b"".join(answer) if answer.streaming else answer.content
                for secret in secrets:
                    self.assertNotIn(secret.encode(), text)
        page = self.client.get("/mailboxes/bob@example.org/edit/")
        self.assertNotContains(page, self.bob.password)


class GarbageTests(World):
    """Any input gets a valid response and changes nothing."""

    def setUp(self):
        self.sign_in(self.root)

    def test_garbage_in_lists_and_search(self):
        for text in GARBAGE:
            for table in registry.menu():
                for name in ("q", "domain", "after", "before", "active", "dir", "admin", "from"):
                    with self.subTest(table=table.slug, name=name, text=ascii(text[:20])):
                        answer = self.client.get(table.url("list"), {name: text})
                        self.assertIn(answer.status_code, (200, 404))
            for url in ("/search/", "/domains/pick/"):
                self.assertEqual(self.client.get(url, {"q": text}).status_code, 200)

    def test_garbage_in_urls(self):
        for text in (t for t in GARBAGE if len(t) < 1000 and t.strip()):
            for table in registry.menu():
                for screen in ("edit", "delete"):
                    if screen in table.roles:
                        with self.subTest(table=table.slug, text=ascii(text)):
                            answer = self.client.get(table.url(screen, text))
                            self.assertIn(answer.status_code, (404,))
        self.assertEqual(self.client.get("/domains/%ff%fe/").status_code, 404)
        self.assertEqual(self.client.get("/mailboxes/?q=%ff%00").status_code, 200)

    def test_garbage_in_every_field_of_every_form(self):
        before = self.count()
        for table in registry.menu():
            if "create" not in table.roles:
                continue
            fields = table.form_class.base_fields
            for text in GARBAGE:
                with self.subTest(table=table.slug, text=ascii(text[:20])):
                    answer = self.client.post(table.url("create"), dict.fromkeys(fields, text))
                    self.assert_refused(answer)
        self.assertEqual(self.count(), before)

    def test_garbage_in_one_field_at_a_time(self):
        good = {"name": "Bob", "quota": "100", "active": "on", "smtp_active": "on"}
        for field in ("quota", "password", "password2"):
            for text in GARBAGE:
                page = self.client.get("/mailboxes/bob@example.org/edit/")
                data = good | {"seen": page.context["form"].initial["seen"], field: text}
                if field == "quota" and text in ("-1", "\n\r\t"):
                    continue  # a quota, and no value
                with self.subTest(field=field, text=ascii(text[:20])):
                    answer = self.client.post("/mailboxes/bob@example.org/edit/", data)
                    self.assertEqual(answer.status_code, 422)
        self.assertEqual(Mailbox.objects.get(pk=self.bob.pk).quota, self.bob.quota)

    def test_an_error_is_announced_and_shown_beside_its_field(self):
        page = self.client.post(
            "/aliases/create/", {"local_part": "a b", "goto": "bob@example.org"}
        )
        self.assertContains(page, 'role="alert"', status_code=422)
        self.assertContains(page, 'aria-describedby="id_local_part_error"', status_code=422)
        self.assertContains(page, 'id="id_local_part_error"', status_code=422)

    def test_numbers_have_bounds(self):
        for field in ("aliases", "mailboxes", "maxquota", "quota", "password_expiry"):
            for value in ("-2", str(2**63), str(10**30), "1.5", "abc", ""):
                data = {
                    "domain": "new.example",
                    "aliases": "1",
                    "mailboxes": "1",
                    "maxquota": "1",
                    "quota": "1",
                    "transport": "virtual",
                    field: value,
                }
                if (field, value) == ("password_expiry", ""):
                    continue
                with self.subTest(field=field, value=value):
                    self.assert_refused(self.client.post("/domains/create/", data))
        self.assertFalse(Domain.objects.filter(pk="new.example").exists())

    def test_invalid_domain_names_are_refused(self):
        bad = "nodot a..b.example under_score.example -a.example a-.example 1.2.3.4 ALL"
        worse = ["x" * 64 + ".example", "a b.example", "autoreply.localhost", "a.example/b"]
        for name in [*bad.split(), *worse]:
            data = {"domain": name, "aliases": 1, "mailboxes": 1, "maxquota": 1, "quota": 1}
            with self.subTest(name=name):
                self.assert_refused(
                    self.client.post("/domains/create/", data | {"transport": "virtual"})
                )

    def test_bulk_with_nonsense_changes_nothing(self):
        for data in (
            {},
            {"action": "explode", "keys": ["bob@example.org"]},
            {"action": "delete"},
            {"action": "delete", "keys": GARBAGE, "confirmed": "1"},
        ):
            self.assertIn(self.client.post("/mailboxes/bulk/", data).status_code, (200, 302))
        self.assertEqual(self.logged(), [])

    def count(self):
        models = (Domain, Mailbox, Alias, Admin, DomainAdmin, Log)
        return [model._base_manager.count() for model in models]


class RoleTests(World):
    def test_an_unknown_person_sees_nothing(self):
        for table in registry.menu():
            for principal in (None, object(), Role.SUPERADMIN):
                self.assertFalse(table.model._default_manager.visible_to(principal).exists())
