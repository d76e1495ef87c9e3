"""The panel's settings in tests; the machine's own environment is ignored."""

import atexit
import json
import os
import sys
from dataclasses import asdict

from tests import programs, releases, servers
from tests.mysql import MySQL

if missing := programs.missing_programs():
    sys.exit(f"Missing for the tests: {', '.join(missing)}. tests/run installs them.")


SERVERS = {"sqlite": servers.Server, "mariadb": servers.MariaDB, "mysql": MySQL}


def database():
    """Return the URL of the run's database, created by the first process; others inherit it."""
    if "TEST_DATABASE_URL" not in os.environ:
        server = SERVERS[DATABASE]()
        atexit.register(server.stop)
        os.environ["TEST_DATABASE_URL"] = f"sqlite://{server.folder}/mailadmin.sqlite3"
        if DATABASE != "sqlite":
            os.environ["TEST_DATABASE_URL"] = server.client.url()
            os.environ["TEST_MARIADB"] = json.dumps(asdict(server.client))
    return os.environ["TEST_DATABASE_URL"]


if "TEST_DEBIAN" not in os.environ:
    try:
        releases.activate(os.environ.get("MAILADMIN_TEST_DEBIAN"))
    except releases.Unavailable as error:
        sys.exit(f"The servers of the other Debian release cannot be tested: {error}")
DATABASE = os.environ.setdefault(
    "TEST_DATABASE", os.environ.get("MAILADMIN_TEST_DATABASE", "mariadb")
)
if DATABASE not in SERVERS:
    sys.exit(f"MAILADMIN_TEST_DATABASE is one of: {', '.join(SERVERS)}")
for name in list(os.environ):
    if name.startswith("MAILADMIN_"):
        del os.environ[name]
os.environ |= {
    "MAILADMIN_ENV_FILE": "/dev/null",
    "MAILADMIN_DATABASE_URL": database(),
    "MAILADMIN_SECRET_KEY": "for tests and for nothing else but tests, so long as it is",
    "MAILADMIN_TIME_ZONE": "Europe/Berlin",
    "MAILADMIN_PASSWORD_ROUNDS": "4",
    # So that all tests of pages look at their tables
    "MAILADMIN_FETCHMAIL": "yes",
    "MAILADMIN_DKIM": "admins",
    "MAILADMIN_BROADCAST": "admins",
    "MAILADMIN_XMLRPC": "yes",
    "MAILADMIN_MAILDIRS": "yes",
    # In the processes that tests/test_custom_columns.py starts
    "MAILADMIN_CUSTOM_COLUMNS": os.environ.get("TEST_CUSTOM_COLUMNS", ""),
    "MAILADMIN_PASSWORD_API": "yes",
    # Playwright's event loop runs in the thread that also queries the database.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
}

from mailadmin.settings import *  # noqa: E402, F403

WHITENOISE_AUTOREFRESH = True  # or every client of every test searches all static files first
if "TEST_COLLATION" in os.environ:  # the default of other servers: MySQL 8, MariaDB 11
    DATABASES["default"]["TEST"]["COLLATION"] = os.environ["TEST_COLLATION"]  # noqa: F405
# Beside the database of the process that started this one
NAME = "test"
if os.environ.get("TEST_CUSTOM_COLUMNS"):
    NAME = "custom" + os.environ.get("PYTEST_XDIST_WORKER", "")
if DATABASE == "sqlite":
    # A file as in production: a database in memory allows no second connection.
    path = DATABASES["default"]["NAME"]  # noqa: F405
    DATABASES["default"]["TEST"] = {"NAME": str(path.with_name(f"{NAME}.sqlite3"))}  # noqa: F405
    DATABASES["default"]["NAME"] = str(path)  # noqa: F405  # as with a database of the tests
elif NAME != "test":
    DATABASES["default"]["TEST"]["NAME"] = NAME  # noqa: F405
