"""The command that creates the views, and the queries of older systems on them."""

import io
import re
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from mailadmin.conf import BASE_DIR
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from tests.legacy_databases import environment
from tests.mailboxes.transfer.legacy_systems import CONFIGURATIONS

MAIL_SYSTEMS = ("ispmail", "forwardings")  # with files of Postfix and Dovecot


def run(*arguments):
    """Run the command and return its output."""
    out = io.StringIO()
    call_command("compat-views", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments):
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


def run_alone(url, *arguments):
    """Run the command on another database or as another account: exit status, error, output."""
    program = [sys.executable, "manage.py", "compat-views", *arguments]
    settings = environment(MAILADMIN_DATABASE_URL=url)
    done = subprocess.run(program, env=settings, cwd=BASE_DIR, capture_output=True, text=True)
    return done.returncode, done.stderr, done.stdout


def verbs(said):
    """Return view → action."""
    return dict(re.findall(r"^-- .+\.(\w+): (.+)$", said, re.M))


def grants(said):
    return [line for line in said.splitlines() if line.startswith("GRANT")]


def definition(database, view):
    return database.value(
        "SELECT view_definition FROM information_schema.views"
        f" WHERE table_schema = '{database.name}' AND table_name = '{view}'"
    )


def definitions(database):
    return database.rows(
        "SELECT table_name, MD5(view_definition), security_type FROM information_schema.views"
        f" WHERE table_schema = '{database.name}'"
    )


def table_names(system):
    return [view.name for view in LEGACY_SYSTEMS[system].views]


def settings_in(system, folder, pattern):
    """Return the settings of a system's files on one line each."""
    files = sorted((CONFIGURATIONS / system / folder).rglob("*.*"))
    text = "\n".join(path.read_text() for path in files).replace("\\\n", "")
    return re.findall(pattern, text, re.M)


def postfix_queries(system, key):
    queries = settings_in(system, "postfix", r"^query = (.*)")
    return [query.replace("%s", key) for query in queries]


def dovecot_queries(system, key):
    """Return the queries for a single user."""
    queries = settings_in(system, "dovecot", r"^(?:user|password)_query = (.*)")
    local_part, _at, name = key.partition("@")
    words = {"%u": key, "%n": local_part, "%d": name}
    for old, new in words.items():
        queries = [query.replace(old, new) for query in queries]
    return queries


def select(database, columns, table):
    """Rows in order, as texts."""
    return database.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2")


BY_KEY = {"const", "eq_ref", "ref", "unique_subquery"}  # the last is eq_ref within EXISTS


def ways(database, query):
    """Return the access type of each table, without results of UNION."""
    plan = database.rows(f"EXPLAIN {query}")
    tables = [row for row in plan if not row[2].startswith(("<", "NULL"))]
    assert all(row[2].startswith("<") for row in plan if row[3] == "ALL"), plan
    return {row[3] for row in tables}


def rows_read(database, query):
    said = database.execute(f"FLUSH STATUS; {query}; SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(line.split("\t")[1]) for line in said if line.startswith("Handler_read"))
