"""The panel, telling in headers what a request cost it: for benchmarks and tests, nowhere else."""

import time
from contextlib import contextmanager, nullcontext

from django.db import connection

READS = "SHOW SESSION STATUS LIKE 'Handler_read%'"


class Cost:
    """What was asked of the database while it was watched."""

    queries = rows = None

    def count(self, execute, sql, *rest):
        self.queries = (self.queries or 0) + (not sql.startswith("SET "))  # of a new connection
        return execute(sql, *rest)


def reads():
    """Rows that this connection has read so far; asking is reading too."""
    with connection.cursor() as cursor:
        cursor.execute(READS)
        return sum(int(number) for _name, number in cursor)


@contextmanager
def counting():
    """The queries and rows read within."""
    cost = Cost()
    connection.close_if_unusable_or_obsolete()  # as the request would, and begin counting anew
    first, before = reads(), reads()
    with connection.execute_wrapper(cost.count):
        yield cost
    cost.rows = reads() - before - (before - first)


def application(environ, start_response):
    """The panel's answer with its CPU time; with `X-Count` also with queries and rows read."""
    answer = []
    with counting() if "HTTP_X_COUNT" in environ else nullcontext(Cost()) as cost:
        begun = time.thread_time()
        body = panel()(environ, lambda *arguments: answer.append(arguments))
        seconds = time.thread_time() - begun
    told = {"X-Cpu": seconds, "X-Queries": cost.queries or 0, "X-Rows": cost.rows or 0}
    status, headers, *rest = answer[0]
    start_response(status, [*headers, *((name, str(told[name])) for name in told)], *rest)
    return body


def panel():
    from mailadmin.wsgi import application

    return application
