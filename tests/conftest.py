"""Selection of tests by database, and fixtures for servers."""

import gc
import json
import os
import random

import hypothesis
import pytest
from django.db import connection
from django.utils import translation

from mailadmin.db import checks
from mailboxes.mailserver.verifier import programs as verifying_programs
from tests import releases, servers
from tests.custom_columns.setting import add_columns

# No example fails for its duration: the machine may be busy.
hypothesis.settings.register_profile(
    "default", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "thorough", hypothesis.settings.get_profile("default"), max_examples=5000
)
hypothesis.settings.load_profile("default")
OTHER = "mariadb" if os.environ["TEST_DATABASE"] == "sqlite" else "sqlite"


def pytest_addoption(parser):
    parser.addoption("--cases", type=int, default=200, help="number of databases for the tracer")
    parser.addoption("--chaos-seconds", type=int, default=60, help="duration of the outages")
    parser.addoption("--chaos-seed", type=int, default=0, help="seed of the outages; 0 is random")


def pytest_collection_modifyitems(config, items):
    foreign = [item for item in items if item.get_closest_marker(OTHER)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in foreign]
    # Files that take a minute are given to processes first, so that all end at about one time.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish():
    """Spare the garbage collector the modules and tests, which take it a tenth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@pytest.fixture(autouse=True)
def in_english():
    """Reset the language, which a request in another language may have changed."""
    translation.activate("en")


@pytest.fixture(autouse=True, scope="session")
def engines_are_read_once():
    """Read the engines of the tables once: not again while a test counts queries."""
    checks.CACHE_SECONDS = 10**9


@pytest.fixture(autouse=True)
def users_of_another_release(monkeypatch):
    """Change users within the folder of another release, which only root may enter."""
    if releases.tested() != releases.own():
        monkeypatch.setattr(verifying_programs, "get_process_identity", releases.as_user)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Add an operator's columns to the database, where the tests are about those."""
    if os.environ.get("TEST_CUSTOM_COLUMNS"):
        with django_db_blocker.unblock():
            add_columns(connection)


@pytest.fixture(scope="session")
def mariadb():
    """The run's MariaDB server; tests that use it are marked `mariadb`."""
    return servers.MariaDBClient(**json.loads(os.environ["TEST_MARIADB"]))


@pytest.fixture
def empty_database(mariadb, request):
    """The URL of an empty MariaDB database, dropped after the test."""
    name = f"empty_{os.getpid()}_{abs(hash(request.node.nodeid))}"
    yield mariadb.create(name)
    mariadb.execute(f"DROP DATABASE `{name}`")


@pytest.fixture
def seconds(request):
    """Duration of the outages."""
    return request.config.getoption("--chaos-seconds")


@pytest.fixture
def seed(request):
    """Seed for the choice of outages."""
    return request.config.getoption("--chaos-seed") or random.SystemRandom().randrange(10**6)
