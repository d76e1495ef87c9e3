"""The panel with the cost of each request in headers, for benchmarks and tests only."""

import time
from contextlib import contextmanager, nullcontext

from django.db import connection

READS = "SHOW SESSION STATUS LIKE 'Handler_read%'"


class Cost:
    """Queries of a database while they are counted."""

    queries = rows = None

    def count(self, execute, sql, *rest):
        self.queries = (self.queries or 0) + (not sql.startswith("SET "))  # of a new connection
        return execute(sql, *rest)


def reads():
    """Return the rows read by this connection so far, including by this query."""
    with connection.cursor() as cursor:
        cursor.execute(READS)
        return sum(int(number) for _name, number in cursor)


@contextmanager
def counting():
    """Count the queries and rows read in this block."""
    cost = Cost()
    connection.close_if_unusable_or_obsolete()  # as the request would, and restart the count
    first, before = reads(), reads()
    with connection.execute_wrapper(cost.count):
        yield cost
    cost.rows = reads() - before - (before - first)


def application(environ, start_response):
    """Respond with the CPU time in a header; with `X-Count` also with queries and rows read."""
    answer = []
    with counting() if "HTTP_X_COUNT" in environ else nullcontext(Cost()) as cost:
        begun = time.thread_time()
        body = panel()(environ, lambda *arguments: answer.append(arguments))
        seconds = time.thread_time() - begun
    cost_headers = {"X-Cpu": seconds, "X-Queries": cost.queries or 0, "X-Rows": cost.rows or 0}
    status, headers, *rest = answer[0]
    start_response(
        status, [*headers, *((name, str(cost_headers[name])) for name in cost_headers)], *rest
    )
    return body


def panel():
    from mailadmin.wsgi import application

    return application
