"""Queries and rows read for every page of a database.

Run as `python -m tests.query_costs` on a database that `tests.bench.filling` has filled. Prints
{person: {page: [queries, rows read, bytes]}}. Thresholds are lower here, so that a small database
counts as a large one.
"""

import json

import django
from django.test.utils import setup_test_environment


def main():
    django.setup()
    setup_test_environment()
    from mailadmin.db import checks
    from mailboxes.integrity import views
    from mailboxes.services import (
        alias_targets,
        cached_stats,
        domain_deletion,
        limits,
        tallies,
    )

    cached_stats.LIVE_COUNT_LIMIT = limits.SMALL_DOMAIN_LIMIT = 100
    domain_deletion.LARGE_DOMAIN_MAILBOXES = 10_000  # a deletion is immediate
    views.PAGE_SECONDS = 60.0  # all checks are finished, however busy the machine is
    checks.CACHE_SECONDS = 10**9  # what is looked up once a period is not measured
    tallies.recount_tallies()
    alias_targets.reindex_alias_targets()
    Here().rows("ANALYZE TABLE mailadmin_lone_alias, mailadmin_alias_target, mailadmin_kept")
    print(json.dumps(costs()))


def costs():
    from tests.bench.pages import PAGES, places
    from tests.bench.visiting import Visits

    visits = Visits(places(Here()), Local)
    found = {}
    for page in PAGES:
        for person in page.people:
            for number in (1, 2):  # the first warms caches of the process
                answer = visits.request(page, person, number)
            queries, rows = int(answer.header("X-Queries")), int(answer.header("X-Rows"))
            found.setdefault(person, {})[page.name] = [queries, rows, len(answer.body)]
    return found


class Here:
    """This database, for `places`."""

    def rows(self, sql):
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(map(str, row)) for row in cursor]

    def value(self, sql):
        return self.rows(sql)[0][0]


class Local:
    """A browser without a server in between."""

    token = ""

    def __init__(self, person):
        from django.test import Client

        from domains.models import Admin
        from mailboxes.models import Mailbox
        from tests.base import give_proof
        from tests.bench.filling import NOBODY

        self.client = Client()
        if person == NOBODY:
            return
        model = Admin if person.endswith("@example.net") else Mailbox
        backend = f"mailadmin.accounts.backends.{model.__name__}Backend"
        self.client.force_login(model.objects.get(pk=person), backend=backend)
        give_proof(self.client)

    def request(self, method, path, body=None, **headers):
        from tests.bench.counted import counting
        from tests.bench.visiting import Answer

        given = {"headers": headers}
        if isinstance(body, str):
            given |= {"data": body, "content_type": "application/json"}
        elif body:
            given |= {"data": body}
        with counting() as cost:
            response = getattr(self.client, method.lower())(path, **given)
        cost_headers = {"X-Queries": cost.queries or 0, "X-Rows": cost.rows}
        return Answer(response.status_code, cost_headers, response.content, 0)

    def fields(self, path):
        from tests.postfixadmin import Fields

        return Fields(self.request("GET", path).body.decode()).sent


if __name__ == "__main__":
    main()
