"""Open every screen as every role; run as `python -m tests.all_pages` on any database.

Prints {user: {request: status}}; a page that failed has its traceback for a status.
"""

import json
import logging
import os
import sys
import traceback
from urllib.parse import quote

import django
from django.test.utils import setup_test_environment

PASSWORD = os.environ.get("ALL_PAGES_PASSWORD", "correct-horse-42")
WORDS = ["bob", "zürich", "Боб ok", "🐎", "%_", "o'hara\\", "\x00"]
MANY = [f"somebody-{number}@example.net" for number in range(3000)]
LONG = ".".join(["d" * 60] * 4)
KEYS = ["боб@example.org", "🐎", "a/b/c", "ü@exämple.org", "\x00"]


def main():
    django.setup()
    setup_test_environment()
    logging.disable(logging.CRITICAL)
    command, *arguments = sys.argv[1:]
    if command == "texts":
        found = TextVisitor(arguments[0]).run(*arguments[1:])
    else:
        kind = {"screens": ScreenVisitor, "rows": RowVisitor}[command]
        found = {person: kind(person).run() for person in arguments}
    print(json.dumps(found))


class Visitor:
    """A browser that records its requests and their status."""

    def __init__(self, person):
        from django.core.signals import got_request_exception
        from django.test import Client

        self.client = Client(raise_request_exception=False)
        self.person, self.errors, self.seen = person, [], {}
        got_request_exception.connect(self.fail)

    def fail(self, **_signal):
        self.errors.append(traceback.format_exc())

    def note(self, what, response):
        """A page that failed has its traceback for a status."""
        if response.streaming:
            self.read(response)
        self.seen[what] = self.errors.pop() if self.errors else response.status_code
        return response

    def read(self, response):
        try:
            for _part in response.streaming_content:
                pass
        except Exception:
            self.fail()

    def get(self, url):
        return self.note(f"GET {url}", self.client.get(url))

    def post(self, url, what=None, **data):
        return self.note(what or f"POST {url} {data}", self.client.post(url, data))

    def sign_in(self, name=None):
        return self.post("/login/", username=name or self.person, password=PASSWORD)

    def tables(self):
        from mailadmin import registry

        return registry.menu()

    def keys_of(self, table):
        return [str(key) for key in table.model._default_manager.values_list("pk", flat=True)]


class TextVisitor(Visitor):
    """The texts of some pages."""

    def run(self, *urls):
        self.sign_in()
        return {url: self.get(url).content.decode() for url in urls}


class ScreenVisitor(Visitor):
    """Every screen, with every existing row and with terms and keys that no column can hold."""

    def run(self):
        for name in KEYS:
            self.sign_in(name)
        self.sign_in()
        for url in self.pages():
            self.get(url)
        for word in WORDS:
            self.get(f"/search/?q={quote(word)}")
        for table in self.tables():
            if self.client.get(table.url("list")).status_code == 200:
                self.screens(table)
        return self.seen

    def pages(self):
        from django.urls import get_resolver

        for pattern in get_resolver().url_patterns:
            route = str(pattern.pattern)
            if "<" not in route and not hasattr(pattern, "url_patterns"):
                yield f"/{route}"
        domains, mailboxes = (
            [*self.keys_of(table), *KEYS]
            for table in self.tables()
            if table.slug in ("domains", "mailboxes")
        )
        for key in domains:
            yield f"/domains/{quote(key, safe='')}/"
        for key in mailboxes:
            yield f"/mailboxes/{quote(key)}/vacation/"
            yield f"/mailboxes/{quote(key)}/forwarding/"

    def screens(self, table):
        keys = self.keys_of(table)
        self.lists(table.url("list"), [*keys[:1], *KEYS])
        self.get(f"{table.url('export')}?q={quote(WORDS[2])}&domain={quote(KEYS[0])}")
        self.get(table.url("export"))
        if "create" in table.roles:
            self.get(table.url("create"))
        for key in [*keys, *KEYS]:
            for screen in {"edit", "delete"} & set(table.roles):
                self.get(table.url(screen, key))
            if "toggle" in table.roles:
                self.post(table.url("toggle", key), field="active", value="x")
        if "bulk" in table.roles:
            for action in ("activate", "delete"):
                self.post(table.url("bulk"), action=action, keys=[*keys, *KEYS])

    def lists(self, url, keys):
        self.get(url)
        for word in WORDS:
            self.get(f"{url}?q={quote(word)}&active=1")
        for key in keys:
            self.get(f"{url}?domain={quote(key)}&after={quote(key)}")
            self.get(f"{url}?before={quote(key)}&dir=desc")


class RowVisitor(Visitor):
    """Create, change and delete rows, with texts and numbers that old columns cannot hold."""

    def run(self):
        self.sign_in()
        self.make()
        self.change()
        self.delete()
        return self.seen

    def make(self):
        for what, domain in (
            ("a domain", {"domain": "new.example", "description": "Neu"}),
            ("a domain with a long name", {"domain": LONG}),
            ("a domain in Cyrillic", {"domain": "пример.рф", "description": "Пример"}),
            ("a domain with an emoji", {"domain": "horse.example", "description": "🐎"}),
            ("a domain of 4 PB", {"domain": "big.example", "quota": 2**32, "maxquota": 2**31}),
        ):
            limits = {"aliases": 0, "mailboxes": 0, "maxquota": 0, "quota": 0}
            others = {"transport": "virtual", "active": "on", "password_expiry": 0}
            self.post("/domains/create/", what, **limits | others | domain)
        for what, mailbox in (
            ("a mailbox", {"local_part": "new", "name": "Jörg"}),
            ("a mailbox in Cyrillic", {"local_part": "cyr", "name": "Боб"}),
            ("a mailbox with an emoji", {"local_part": "horse", "name": "🐎"}),
            ("a mailbox of 3 GB", {"local_part": "big", "quota": 3000}),
            ("a mailbox with a long name", {"local_part": "l" * 64, "domain": LONG}),
            ("a mailbox with a foreign address", {"local_part": "боб"}),
        ):
            passwords = {"password": PASSWORD, "password2": PASSWORD}
            others = {"domain": "example.org", "active": "on", "smtp_active": "on"}
            self.post("/mailboxes/create/", what, **passwords | others | mailbox)
        alias = {"domain": "example.org", "active": "on", "goto": "bob@example.org"}
        for what, more in (
            ("an alias", {"local_part": "new-alias"}),
            ("an alias described with an emoji", {"local_part": "horses", "description": "🐎"}),
            ("an alias to a foreign address", {"local_part": "far", "goto": "боб@пример.рф"}),
            ("an alias to very many", {"local_part": "many", "goto": "\n".join(MANY)}),
            ("an alias with a long name", {"local_part": "l" * 64, "domain": LONG}),
            ("a catch-all", {"local_part": "*", "domain": "example.com"}),
        ):
            self.post("/aliases/create/", what, **alias | more)
        mirror = {"alias_domain": "new.example", "target_domain": "example.com", "active": "on"}
        self.post("/alias-domains/create/", "an alias domain", **mirror)
        self.post(
            "/admins/create/",
            "an admin",
            username="new@example.net",
            password=PASSWORD,
            password2=PASSWORD,
            domains="example.org",
            active="on",
        )

    def change(self):
        for url, values in (
            ("/domains/Upper.Example/edit/", {"description": "anders"}),
            ("/domains/backup.example/edit/", {"description": "Б"}),
            ("/mailboxes/Dave@Upper.Example/edit/", {"name": "David"}),
            ("/mailboxes/bob@example.org/edit/", {"name": "Bob", "quota": 200}),
            ("/mailboxes/bob@example.org/vacation/", {"subject": "Weg", "active": "on"}),
            ("/mailboxes/carol@example.com/vacation/", {"body": "Нет 🐎", "active": "on"}),
            ("/mailboxes/carol@example.com/forwarding/", {"goto": "bob@example.org"}),
            ("/mailboxes/bob@example.org/vacation/", {"body": "🐎" * 20000}),
            ("/aliases/info@example.org/edit/", {"goto": "carol@example.com"}),
            ("/admins/alice@example.org/edit/", {"domains": "example.org\nexample.com"}),
        ):
            self.edit(url, values, f"edit {url} {next(iter(values))}")
        for table, key in (
            ("mailboxes", "Dave@Upper.Example"),
            ("aliases", "Info@Upper.Example"),
            ("domains", "Upper.Example"),
            ("admins", "Erin@Upper.Example"),
        ):
            self.post(f"/{table}/{key}/toggle/", field="active", value="0")

    def edit(self, url, values, what):
        page = self.get(url)
        if page.status_code != 200:
            return
        form = page.context["form"]
        data = {name: shown(form[name]) for name in form.fields}
        data = {
            name: value for name, value in data.items() if value is not None and value is not False
        }
        self.post(url, what, **data | values)

    def delete(self):
        for table, key in (
            ("mailboxes", "Dave@Upper.Example"),
            ("mailboxes", "bob@example.org"),
            ("aliases", "@example.org"),
            ("admins", "Erin@Upper.Example"),
            ("admins", "alice@example.org"),
        ):
            self.post(f"/{table}/{quote(key)}/delete/", f"delete {key}")
        for slug in ("alias-domains", "domains"):
            table = next(table for table in self.tables() if table.slug == slug)
            for key in self.keys_of(table):
                self.post(table.url("delete", key), f"delete {slug} {key}", confirm=key)


def shown(field):
    """Return the data that a browser sends for an unchanged field."""
    value = field.value()
    if hasattr(value, "strftime"):
        return value.strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, list):
        return "\n".join(value)
    if value is None and hasattr(field.field, "choices"):
        return next(key for key, _label in field.field.choices)
    return value


if __name__ == "__main__":
    main()
