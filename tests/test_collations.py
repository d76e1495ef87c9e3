"""The panel on databases with collations of newer servers.

MariaDB 11.5 makes databases with uca1400, MySQL 8 with 0900: both ignore invisible characters
and treat letters with different accents as equal. MariaDB 10.11 has the first of them, and
`unicode_520`, which is nearest to the second.
"""

import json
import os
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests import collations
from tests.legacy_databases import Database

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]
SUBJECTS = (
    "tests/domains/test_admins.py",
    "tests/domains/test_domains.py",
    "tests/mailadmin/test_login.py",
    "tests/mailadmin/test_login_failures.py",
    "tests/mailadmin/test_single_sign_on_attacks.py",
    "tests/mailadmin/test_throttling.py",
    "tests/mailadmin/test_throttling_details.py",
    "tests/mailboxes/test_aliases.py",
    "tests/mailboxes/test_mailboxes.py",
)


@pytest.mark.parametrize("collation", ["utf8mb4_uca1400_ai_ci", "utf8mb4_unicode_520_ci"])
def test_the_panel_does_not_depend_on_the_collation(collation):
    ours = ("PYTEST_", "TEST_DATABASE", "TEST_MARIADB", "MAILADMIN_")  # it starts its own server
    environ = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    command_line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUBJECTS]
    done = subprocess.run(
        command_line,
        cwd=BASE_DIR,
        env=environ | {"TEST_COLLATION": collation},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]


# An adopted database with one collation, and tables with the server's default


@pytest.fixture(scope="module", params=collations.NAMES)
def converted(mariadb, request):
    database = Database.of_shape(mariadb, f"converted_{os.getpid()}", "1856")
    database.convert(request.param)
    database.migrate()
    yield database
    database.drop()


@pytest.mark.release
@pytest.mark.mysql
def test_a_second_run_has_nothing_to_do(converted):
    assert "No migrations to apply" in converted.migrate()


# Equal to bob's address or domain in one collation or the other.
ALIKE = [
    *("b\u00f3b@example.org", "\uff42ob@example.org", "bob@ex\u00e4mple.org"),
    *("b\u200bob@example.org", "bob@example.org\u00ad", "bob @example.org"),
]
# Rows of other programs may have such names and are found; but nobody signs in with them.
UNSEEN = ["bob@example.org\x01", "b\x02ob@example.org"]
ASK = """
import json, sys
import django; django.setup()
from django.test.utils import setup_test_environment
setup_test_environment()
from django.test import Client
from mailadmin.accounts.external import find_person_of_address
from tests.all_pages import PASSWORD
def sign_in(name):
    client = Client()
    client.post("/login/", {"username": name, "password": PASSWORD})
    return client
def is_in(name):
    return sign_in(name).get("/").status_code == 200
root = sign_in("root@example.net")
def shown(name):
    return root.get("/mailboxes/" + name + "/edit/").status_code
alike, unseen = json.loads(sys.argv[1])
print(json.dumps([
    [is_in(name) for name in ("bob@example.org", " BOB@Example.org ")]
    + [bool(find_person_of_address("BOB@Example.org"))],
    [name for name in alike + unseen if is_in(name) or find_person_of_address(name)],
    [shown(name) for name in ("bob@example.org", "BOB@example.org")],
    [name for name in alike if shown(name) != 404],
    root.get("/mailboxes/", {"q": "BOB@EXAMPLE"}).content.decode().count("bob@example.org/"),
    root.get("/mailboxes/", {"q": "bob*"}).content.decode().count("bob@example.org/"),
]))
"""


@pytest.mark.release
@pytest.mark.mysql
def test_only_an_address_itself_opens_its_mailbox(converted):
    people, intruders, pages, others, *searches = json.loads(
        converted.panel("-c", ASK, json.dumps([ALIKE, UNSEEN]))
    )
    assert people == [True, True, True]
    assert intruders == []
    assert pages == [200, 200]
    assert others == []
    assert all(searches)


@pytest.mark.release
@pytest.mark.mysql
def test_all_pages_open_and_all_rows_are_created_changed_and_deleted(converted):
    seen = converted.open_screens("root@example.net", "alice@example.org", "bob@example.org")
    for person, answers in seen.items():
        assert {what: s for what, s in answers.items() if s not in range(200, 500)} == {}, person
        assert answers["GET /"] == 200
    changes = converted.change_rows()
    assert {what: s for what, s in changes.items() if s not in range(500)} == {}
