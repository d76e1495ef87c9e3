"""Send each request of the matrix, and compare what comes of it with what is expected."""

import contextlib
import logging

from django.db import connection, transaction
from django.test import override_settings

from mailadmin.access_matrix import HTTP_METHODS, list_pages
from mailadmin.accounts.models import Role
from tests.attacks.matrix import FOREIGN, OWN, SECRETS_OF_OTHERS, Case, MatrixWorld, fits
from tests.base import PASSWORD

# Where a body is read; an empty one is refused no better than one that could do something.
WITH_BODY = ("allowed", "public", "404")
# Written by any request of somebody who is known: when they were last seen, and how often.
BOOKKEEPING = {"django_session", "mailadmin_token", "mailadmin_request_count"}
BOOKKEEPING |= {"mailadmin_signed_in_session", "mailadmin_login_failure"}
ACTIONS = {"import": "discard", "job": "retry", "mails": "cancel"}
EDITED = {"mailboxes": {"name": "New"}, "aliases": {"goto": ["x@y.example"]}}


def read_rows(*words):
    """Return the rows of all tables; with words only those that have one of them."""
    found = {}
    for table in sorted(set(connection.introspection.table_names()) - BOOKKEEPING):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows = [repr(row) for row in cursor.fetchall()]
        found[table] = sorted(
            row for row in rows if not words or any(word in row for word in words)
        )
    return found


def read_content(response):
    return b"".join(response) if response.streaming else response.content


@override_settings(MAILADMIN_URL="https://mail.example.net")
class AccessChecks(MatrixWorld):
    def cases_of(self, visitor):
        """Yield the requests of a visitor.

        What a role decides is tried by the first person of it, and the pages by the strongest token
        alone: neither can depend on who it is.
        """
        is_second = self.is_of_example_com(visitor)
        is_weaker = visitor.token and visitor != self.visitors()[-1]
        for case in self.all_cases_of(visitor):
            is_of_rows = case.expect() in WITH_BODY
            if (is_of_rows or not is_second) and (case.page.is_api or not is_weaker):
                yield case

    def all_cases_of(self, visitor):
        for page in list_pages():
            for method in (*HTTP_METHODS, "head", "options"):
                for target in self.targets(page):
                    is_known = method in (*page.methods, "head")
                    if target == OWN or is_known:
                        url = self.url_of(page, visitor, target)
                        yield Case(page, method, visitor, target, url)

    def bodies_of(self, case):
        """Return an empty form, and one that could do something, to rows of others too."""
        foreign = "example.org" if self.is_of_example_com(case.visitor) else "example.com"
        slug = case.page.table.slug if case.page.table else "mailboxes"
        keys = [str(key) for key in self.keys[slug]]
        filled = {
            **{"active": "0", "field": "active", "value": "0", "action": "deactivate"},
            **{"confirmed": "1", "confirm": "1", "keys": keys, "key": keys, "name": "New"},
            **{"local_part": "evil", "domain": foreign, "goto": "x@y.example", "quota": "1"},
            **{"password": PASSWORD, "password2": PASSWORD, "ip": "192.0.2.9", "username": foreign},
            **{"alias_domain": foreign, "target_domain": foreign, "description": "New"},
            **{"pattern": "new.example", "transport": "lmtp:b", "admins": "alice@example.org"},
            **{"subject": "New", "body": "New", "table": slug, "query": f"domain={foreign}"},
        }
        filled["action"] = ACTIONS.get(case.page.name, "deactivate")
        if case.page.is_api and case.is_keyed:
            filled = EDITED.get(slug, {"description": "New"})
        if case.page.name == "import":  # without an action there is nothing
            return (filled,)
        if case.method not in ("post", "put", "patch"):
            return ({},)
        return ({}, filled) if case.expect() in WITH_BODY else (filled,)

    def is_of_example_com(self, visitor):
        return visitor.person in (self.dave, self.carol)

    def send(self, case, data):
        """Send a request and undo what it did."""
        cookies, before = self.client.cookies.copy(), transaction.savepoint()
        request = getattr(self.client, case.method)
        if (case.page.is_api and data) or case.method in ("put", "patch"):
            response = request(case.url, data, content_type="application/json")
        else:
            response = request(case.url, data)
        self.content = read_content(response)
        return response, cookies, before

    def undo(self, cookies, before):
        transaction.savepoint_rollback(before)
        self.client.cookies = cookies

    @contextlib.contextmanager
    def quiet(self):
        """Keep hundreds of refused requests out of the report of a failure."""
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)

    def check_all(self, visitor):
        self.client_of(visitor)
        self.faults = []
        with self.quiet():
            self.send_all(visitor)
        self.assertFalse(self.faults, "\n".join(self.faults))

    def send_all(self, visitor):
        cases = [(case, case.expect()) for case in self.cases_of(visitor)]
        unchanged = read_rows()
        for case, expected in cases:
            if expected not in ("allowed", "public"):
                for data in self.bodies_of(case):
                    response, _cookies, _before = self.send(case, data)
                    self.note(case, expected, response)
        if lost := self.lost_rows(unchanged, read_rows()):
            self.faults.append(f"a refused request has changed {lost}")
        end = "example.org" if self.is_of_example_com(visitor) else "example.com"
        self.rows_of_others = read_rows(end)
        for case, expected in cases:
            if expected in ("allowed", "public"):
                self.check_allowed(case, expected)

    def check_allowed(self, case, expected):
        """Check that what somebody may do shows and changes nothing of others."""
        is_limited = case.visitor.role not in (Role.SUPERADMIN, Role(0))
        for data in self.bodies_of(case):
            response, cookies, before = self.send(case, data)
            self.note(case, expected, response)
            if is_limited and data and (lost := self.find_lost_rows(case)):
                self.faults.append(f"{case}: {lost}")
            self.undo(cookies, before)

    def find_lost_rows(self, case):
        end = "example.org" if self.is_of_example_com(case.visitor) else "example.com"
        return self.lost_rows(self.rows_of_others, read_rows(end))

    def lost_rows(self, before, after):
        """Return the rows of others that are gone or different."""
        return {name: rows for name, rows in before.items() if set(rows) - set(after[name])}

    def note(self, case, expected, response):
        if not fits(case, expected, response):
            self.faults.append(f"{case}: {response.status_code} is not {expected}")
        is_own = case.target != FOREIGN
        if case.visitor.person in (self.alice, self.bob):
            shown = [word for word in SECRETS_OF_OTHERS if is_own or "@" not in word]
            if any(word.encode() in self.content for word in shown):
                self.faults.append(f"{case}: shows what belongs to others")

    def visitor(self, name):
        return next(each for each in self.visitors() if each.name == name)
