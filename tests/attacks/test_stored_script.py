"""Script in every text column of the database, on every page.

Classes: stored script in lists and in the log, its rows written by PostfixAdmin included
(CVE-2026-127178, CVE-2026-40872, CVE-2023-0470, -0519, -0949, -5688); errors printed into script
(GHSA-fp6h-63w4-5hcm); texts that meet a template engine (CVE-2025-53909, CVE-2026-125757).
"""

import contextlib
from html.parser import HTMLParser

from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.test import Client, override_settings
from django.utils import timezone

from mailadmin.access_matrix import list_pages
from tests.architecture import APPS
from tests.attacks.matrix import OWN, MatrixWorld, Visitor
from tests.base import BACKENDS

NAME = "injected"
# It leaves attributes in both quotes, and the elements whose content is text.
SCRIPT = f"\" onfocus=x '></title></textarea></script><{NAME}>"
TEMPLATE = "{{ 7|add:7000 }}{% debug %}${7*7}"
PARAMETERS = ("q", "domain", "next", "address", "name", "table", "message", "error", "url", "state")
PAGE = "/mailboxes/bob@example.org/"
TEXTS = (models.CharField, models.TextField)
# Columns that programs compute with: a stored hash, a foreign key, a state.
KEPT = {"password", "owner_model", "model", "table", "state", "kind", "digest", "session_data"}
KEPT |= {"session_key", "query", "verb", "action", "locale", "language", "public_key", "account"}
KEPT |= {"credential_id", "password_digest", "format", "level", "role", "owner_key", "actor_key"}
KEPT |= {"goto", "ip", "totp_secret", "token", "maildir", "transport"}


class InjectionParser(HTMLParser):
    """Parser for elements and attributes that a text of the database has become."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == NAME or any(name in (NAME, "onload", "onfocus") for name, _value in attrs):
            self.found.append(self.get_starttag_text())
        for name, value in attrs:
            if name in ("href", "src", "action") and (value or "").strip().startswith("javascript"):
                self.found.append(self.get_starttag_text())


def find_injected(text):
    parser = InjectionParser()
    parser.feed(text)
    return parser.found


def text_fields(model):
    """Return the columns that hold texts of people, not keys nor values of programs."""
    for field in model._meta.concrete_fields:
        is_text = isinstance(field, TEXTS) and not field.choices and not field.remote_field
        if is_text and not field.primary_key and not field.unique and field.name not in KEPT:
            yield field


@override_settings(MAILADMIN_URL="https://mail.example.net")
class StoredScriptTests(MatrixWorld):
    def write_everywhere(self, text):
        """Write a text into the text columns of all rows, as another program could."""
        written = []
        for model in (model for label in APPS for model in apps.get_app_config(label).get_models()):
            for field in text_fields(model):
                value = text[: field.max_length or 200]
                rows = model._base_manager.exclude(**{field.attname: None})
                with contextlib.suppress(IntegrityError), transaction.atomic():
                    count = rows.update(**{field.attname: value})
                    written += [f"{model.__name__}.{field.name}"] * bool(count)
        return written

    def pages_of(self, person):
        visitor = Visitor(person.pk, person)
        for page in list_pages():
            has_get = "get" in page.methods and not page.is_api
            if has_get and (page.is_public or person.role in page.get_roles("get")):
                yield self.url_of(page, visitor, OWN)
        for slug in ("mailboxes", "aliases", "domains", "log"):
            yield f"/{slug}/?q=e&domain=example.org"
        yield "/search/?q=e"
        yield "/explain/?address=bob@example.org"

    def open_all(self, person, check):
        client = Client(raise_request_exception=False)
        client.force_login(person, backend=BACKENDS[type(person)])
        for url in self.pages_of(person):
            response = client.get(url)
            body = b"".join(response) if response.streaming else response.content
            self.assertNotEqual(response.status_code, 500, url)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                check(url, body.decode())

    def check_script(self, url, text):
        self.assertEqual(find_injected(text), [], url)

    def check_template(self, url, text):
        self.assertNotIn("7007", text, url)
        self.assertNotIn("${49", text, url)

    def test_script_in_text_columns_is_text_on_every_page(self):
        self.write_log_row()
        written = self.write_everywhere(SCRIPT)
        self.assertGreater(len(written), 15, written)
        for person in (self.root, self.alice, self.bob):
            self.open_all(person, self.check_script)

    def test_texts_are_no_templates(self):
        self.write_everywhere(TEMPLATE)
        for person in (self.root, self.alice, self.bob):
            self.open_all(person, self.check_template)

    def write_log_row(self):
        """Write a log row as PostfixAdmin does: actions, data and names are what it was given."""
        table, now = connection.ops.quote_name("log"), timezone.localtime().replace(tzinfo=None)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (timestamp, username, domain, action, data)"
                " VALUES (%s, %s, 'example.org', %s, %s)",
                [now, f"{SCRIPT} (192.0.2.1)", SCRIPT, SCRIPT],
            )

    def test_log_rows_of_postfixadmin_are_text(self):
        """On the pages that show the log; all others are opened with such a row above."""
        self.write_log_row()
        for person in (self.root, self.alice):
            self.sign_in(person)
            for url in ("/", "/log/", "/domains/example.org/", "/log/?domain=example.org", PAGE):
                shown = self.client.get(url).content.decode()
                self.check_script(url, shown)
                if url.startswith("/log/"):
                    self.assertIn(NAME, shown)

    def test_what_is_typed_is_text_in_its_errors(self):
        """Each form shows what was refused, as text; so do the errors of the API."""
        for person in (self.root, self.alice, self.bob):
            self.client.force_login(person, backend=BACKENDS[type(person)])
            visitor = Visitor(person.pk, person)
            for page in list_pages():
                if "post" in page.methods and not page.is_api and page.name != "logout":
                    url = self.url_of(page, visitor, OWN)
                    self.check_typed(url, page)

    def check_typed(self, url, page):
        names = getattr(getattr(page.view, "form_class", None), "base_fields", {})
        if page.table is not None:
            names = page.table.form_class.base_fields
        data = dict.fromkeys([*names, "next", "key", "keys", "action", "name"], SCRIPT)
        response = self.client.post(url, data)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            self.check_script(url, response.content.decode())

    def test_what_is_asked_for_is_text_on_the_page(self):
        for person in (self.root, self.alice, self.bob):
            self.client.force_login(person, backend=BACKENDS[type(person)])
            for url in self.pages_of(person):
                response = self.client.get(url, dict.fromkeys(PARAMETERS, SCRIPT))
                if response.headers.get("Content-Type", "").startswith("text/html"):
                    self.check_script(url, response.content.decode())

    def test_errors_of_the_api_are_no_pages(self):
        program = self.api(self.root)
        for url in (f"mailboxes/{SCRIPT}", f"{SCRIPT}", "explain"):
            response = program.get(url, q=SCRIPT)
            self.assertIn("json", response["Content-Type"])
            self.assertEqual(response["X-Content-Type-Options"], "nosniff")

    def test_the_parser_finds_what_it_should(self):
        for place in ("<p>%s</p>", "<input value='%s'>", '<input value="%s">', "<title>%s</title>"):
            self.assertTrue(find_injected(place % SCRIPT), place)
        self.assertEqual(find_injected("<p>&lt;injected&gt;</p>"), [])
