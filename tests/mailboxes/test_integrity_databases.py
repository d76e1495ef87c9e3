"""Integrity on databases of PostfixAdmin's versions, with their charsets and collations."""

import json
import os

import pytest

from tests.collations import NAMES
from tests.legacy_databases import SHAPES, Database

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]

# Tables of one database in several charsets, as upgrades of many years leave them
MIXED = """
ALTER TABLE dkim DROP FOREIGN KEY dkim_ibfk_1;
ALTER TABLE domain CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE quota2 CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
ALTER TABLE fetchmail CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE mailbox_app_password CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
ALTER TABLE totp_exception_address CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
ALTER TABLE domain_admins CONVERT TO CHARACTER SET latin1 COLLATE latin1_swedish_ci;
"""
RUN = """
import json, django
django.setup()
from tests.mailboxes.integrity_faults import find_all, fix_all, make_faults
before = find_all()
made = make_faults()
found = find_all()
fix_all()
print(json.dumps([before, made, found, find_all()]))
"""
STRANGE_NAMES = """
INSERT INTO quota2 (username, bytes, messages) VALUES ('zürich@faults.example', 1, 1);
INSERT INTO mailbox_app_password (username, description, password_hash)
    VALUES ('боб@faults.example', 'Phone', 'x');
"""


def check(database, left=frozenset()):
    """Make all faults: each is found once, and only what a person must decide is left."""
    before, made, found, after = json.loads(database.panel("-c", RUN))
    manual = set(json.loads(database.panel("-c", MANUAL)))
    for name, key in made.items():
        assert found[name].count(key) == 1, (name, found[name])
        assert len(found[name]) == len(before.get(name, [])) + 1, (name, found[name])
    assert set(after) <= manual | left, after
    assert manual & set(made) <= set(after)
    return before, after


MANUAL = """
import json, django
django.setup()
from mailboxes.integrity.catalog import CHECKS
print(json.dumps([check.name for check in CHECKS.values() if check.plan is None]))
"""


@pytest.fixture
def database(request, mariadb):
    shape, charset = request.param
    database = Database.of_shape(mariadb, f"integrity_{os.getpid()}", shape, charset)
    database.migrate()
    yield database
    database.drop()


def shapes(*charsets):
    return pytest.mark.parametrize(
        "database",
        [(shape, charset) for shape in SHAPES for charset in charsets],
        indirect=True,
        ids=lambda parameter: " ".join(parameter),
    )


@shapes("", "utf8mb3")
def test_all_checks_run_on_adopted_databases(database):
    check(database)


@pytest.mark.parametrize("collation", NAMES)
@pytest.mark.parametrize("database", [("1856", "")], indirect=True)
def test_all_checks_run_after_a_conversion(database, collation):
    database.convert(collation)
    database.migrate()
    check(database)


@pytest.mark.parametrize("database", [("1856", "")], indirect=True)
def test_all_checks_run_on_tables_in_several_charsets(database):
    database.load(MIXED)
    check(database)


@pytest.mark.parametrize("charsets", ["", MIXED], ids=["usual", "mixed"])
@pytest.mark.parametrize("database", [("1856", "")], indirect=True)
def test_names_that_other_columns_cannot_hold_are_found_and_fixed(database, charsets):
    database.load(charsets + STRANGE_NAMES)
    before, after = check(database, left={"quota2-mailbox"})
    assert before["quota2-mailbox"][-1] == "zürich@faults.example"
    assert "боб@faults.example" in before["app-password-mailbox"]
    assert after["quota2-mailbox"] == ["zürich@faults.example"]  # no key of ours is not ASCII
    assert "app-password-mailbox" not in after
