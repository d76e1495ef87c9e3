"""`migrate` on new and adopted databases: nothing is lost, and all screens work."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass

import pytest

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import MYSQL_MODE, SHAPES, Database, environment
from tests.settings import SERVERS

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]

OTHERS = {
    "2.1 in utf8": ("2.1", "utf8", ""),
    "3.3.13 with a prefix": ("3.3.13", "", "pfa_"),
    "4.0.5 that began in latin1": ("4.0.5", "latin1", ""),
    "1856 in another collation": ("1856", "utf8mb4 COLLATE utf8mb4_unicode_ci", ""),
}
VARIANTS = {shape: (shape, "", "") for shape in SHAPES} | OTHERS
# A fresh database has the newest schema: the oldest is enough for the servers of both releases.
MARKS = {"2.1": [pytest.mark.mysql, pytest.mark.release], "1856": [pytest.mark.mysql]}
PARAMETERS = [pytest.param(name, marks=MARKS.get(name, ())) for name in VARIANTS]
PEOPLE = ("root@example.net", "alice@example.org", "bob@example.org")
# Values too long for an old column or outside its charset, and the first shape that fits.
NARROW = {
    "a domain in Cyrillic": ["2.1"],
    "a domain with an emoji": ["2.1", "2.1 in utf8", "3.3.13", "3.3.13 with a prefix"],
    "a domain of 4 PB": list(VARIANTS),  # more than any domain may have
    "a mailbox in Cyrillic": ["2.1"],
    "a mailbox with an emoji": ["2.1", "2.1 in utf8"],
    "a mailbox of 3 GB": ["2.1", "2.1 in utf8"],
    "an alias to very many": list(VARIANTS),
    "an alias with a long name": list(VARIANTS),
    "a mailbox with a long name": list(VARIANTS),
    "an alias to a foreign address": list(VARIANTS),
    "a mailbox with a foreign address": list(VARIANTS),
    "edit /domains/backup.example/edit/ description": ["2.1"],
    "edit /mailboxes/carol@example.com/vacation/ body": ["2.1", "2.1 in utf8"],
    "edit /mailboxes/bob@example.org/vacation/ body": list(VARIANTS),
}


@dataclass
class Adopted:
    """A database of PostfixAdmin, and its contents before adoption."""

    variant: str
    database: Database
    structure: dict
    columns: dict
    content: dict

    @property
    def prefix(self):
        return self.database.environ.get("MAILADMIN_TABLE_PREFIX", "")


@pytest.fixture(scope="module")
def mariadb():
    """A server in MySQL's own sql_mode, in which zero dates are errors."""
    with SERVERS[os.environ["TEST_DATABASE"]]() as server:
        server.client.execute(f"SET GLOBAL sql_mode = '{MYSQL_MODE}'")
        yield server.client


@pytest.fixture(scope="module")
def fresh(mariadb):
    mariadb.create("adoption_fresh")
    database = Database(mariadb, "adoption_fresh")
    database.migrate()
    yield database
    database.drop()


@pytest.fixture(scope="module", params=PARAMETERS)
def adopted(request, mariadb):
    shape, charset, prefix = VARIANTS[request.param]
    name = "adoption_" + request.param.replace(" ", "_").replace(".", "_")
    database = Database.of_shape(mariadb, name, shape, charset, prefix)
    columns = database.columns()
    before = database.structure(), columns, database.content(columns)
    database.migrate()
    yield Adopted(request.param, database, *before)
    database.drop()


@pytest.fixture
def shaped(mariadb):
    """Create a database of a shape for this test only."""
    made = []

    def make(shape, charset=""):
        made.append(Database.of_shape(mariadb, f"shaped_{len(made)}", shape, charset))
        return made[-1]

    yield make
    for database in made:
        database.drop()


def failures(seen):
    return {what: status for what, status in seen.items() if status not in range(200, 500)}


# Rows are kept, missing columns are added


def test_existing_rows_are_unchanged(adopted):
    after = adopted.database.structure()
    assert {fact: after.get(fact) for fact in adopted.structure} == adopted.structure
    assert adopted.database.content(adopted.columns) == adopted.content


def test_no_index_is_created_if_an_existing_one_serves(adopted):
    indexes = {}
    for kind, table, *rest in (after := adopted.database.structure()):
        if kind == "index" and ("table", table) in adopted.structure:
            index, number = rest
            indexes.setdefault((table, index), []).append(after[kind, table, index, number][0])
    old = {fact[1:3] for fact in adopted.structure if fact[0] == "index"}
    for (table, name), columns in indexes.items():
        if (table, name) not in old:
            served = [indexes[other] for other in old if other[0] == table]
            assert columns not in [other[: len(columns)] for other in served], (table, name)


def test_missing_columns_are_added(adopted, fresh):
    columns = adopted.database.columns()
    for table, wanted in fresh.columns().items():
        ours = table.startswith(("mailadmin_", "django_", "auth_"))
        assert set(wanted) <= set(columns[table if ours else adopted.prefix + table]), table


def test_a_second_run_changes_nothing(adopted):
    """Neither with the recorded migrations nor without them."""
    database = adopted.database
    structure, columns = database.structure(), database.columns()
    del columns["django_migrations"]
    content = database.content(columns)
    assert "No migrations to apply" in database.migrate()
    database.execute(
        "DELETE FROM django_migrations WHERE app IN ('mailadmin', 'domains', 'mailboxes')"
    )
    assert "Applying" in database.migrate()
    assert database.structure() == structure
    assert database.content(columns) == content


def test_superadmins_are_superadmins(adopted):
    rows = adopted.database.rows(f"SELECT username FROM {adopted.prefix}admin WHERE superadmin = 1")
    assert rows == [("root@example.net",)]


def test_the_local_part_of_mailboxes_is_filled_in(adopted):
    rows = adopted.database.rows(f"SELECT username, local_part FROM {adopted.prefix}mailbox")
    assert rows
    assert all(username.rpartition("@")[0] == local_part for username, local_part in rows)


def test_the_version_number_of_postfixadmin_is_not_changed(adopted):
    numbers = {"2": [], "3": [("1847",)], "4": [("1851",)], "1": [("1856",)]}
    rows = adopted.database.rows(f"SELECT value FROM {adopted.prefix}config WHERE name = 'version'")
    assert rows == numbers[adopted.variant[0]]


# Screens


def test_every_screen_opens_for_every_role(adopted):
    people = PEOPLE if adopted.variant in SHAPES else PEOPLE[:1]
    for person, seen in adopted.database.open_screens(*people).items():
        assert failures(seen) == {}, person
        assert seen["GET /"] == 200, person
        assert len(seen) > 50


def test_rows_are_created_changed_and_deleted(adopted):
    seen = adopted.database.change_rows()
    assert failures(seen) == {}
    refused = {what for what, status in seen.items() if status == 422}
    assert refused == {what for what, variants in NARROW.items() if adopted.variant in variants}
    for table in ("mailbox", "alias"):
        rows = adopted.database.rows(f"SELECT DISTINCT domain FROM {adopted.prefix}{table}")
        assert rows == [("gone.example",)]
    assert adopted.database.rows(f"SELECT domain FROM {adopted.prefix}domain") == [("ALL",)]


# Fresh databases


@pytest.mark.mysql
@pytest.mark.release
def test_a_fresh_database_has_postfixadmins_newest_schema(fresh, mariadb):
    assert fresh.rows("SELECT name, value FROM config") == [("version", "1856")]
    mariadb.create("adoption_theirs")
    theirs = Database(mariadb, "adoption_theirs")
    theirs.load((BASE_DIR / "tests/schema/postfixadmin-1856.sql").read_text())
    columns = fresh.columns()
    assert {
        table: set(names) - set(columns[table]) for table, names in theirs.columns().items()
    } == {table: set() for table in theirs.columns()}
    theirs.drop()


@pytest.mark.mysql
@pytest.mark.release
def test_a_second_run_on_a_fresh_database_changes_nothing(fresh):
    structure = fresh.structure()
    assert "No migrations to apply" in fresh.migrate()
    assert fresh.structure() == structure


@pytest.mark.mysql
@pytest.mark.release
def test_every_screen_works_on_a_fresh_database(fresh):
    fresh.panel("-c", BUILD)
    for person, seen in fresh.open_screens(*PEOPLE).items():
        assert failures(seen) == {}, person


BUILD = "import django; django.setup(); from tests.base import build_world; build_world()"


def test_a_fresh_sqlite_database_is_created_and_works(tmp_path):
    def panel(*arguments):
        url = f"sqlite://{tmp_path}/mailadmin.sqlite3"
        result = subprocess.run(
            [sys.executable, *arguments],
            env=environment(MAILADMIN_DATABASE_URL=url),
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def schema():
        with sqlite3.connect(tmp_path / "mailadmin.sqlite3") as connection:
            return connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()

    panel("manage.py", "migrate")
    before = schema()
    assert "No migrations to apply" in panel("manage.py", "migrate")
    assert schema() == before
    panel("-c", BUILD)
    for person, seen in json.loads(panel("-m", "tests.all_pages", "screens", *PEOPLE)).items():
        assert failures(seen) == {}, person


# Version numbers


def test_the_number_of_another_branch_decides_nothing(shaped):
    """PostfixAdmin 4.0.6 has the tables of 4.0.5 as 1852, which means others in later versions."""
    usual, numbered = shaped("4.0.5"), shaped("4.0.5")
    numbered.execute("UPDATE config SET value = '1852' WHERE name = 'version'")
    for database in (usual, numbered):
        database.migrate()
    assert numbered.structure() == usual.structure()
    assert numbered.value("SELECT value FROM config WHERE name = 'version'") == "1852"
    for person, seen in numbered.open_screens(*PEOPLE).items():
        assert failures(seen) == {}, person


# Missing version number


@pytest.mark.parametrize("shape", ["3.3.13", "4.0.5", "1856"])
def test_a_database_without_a_version_keeps_the_constraint_that_it_has(shaped, shape):
    database = shaped(shape)
    database.execute("DELETE FROM config")
    before = of_notifications(database)
    assert ("key", "vacation_notification", "vacation_notification_pkey") in before
    database.migrate()
    assert of_notifications(database) == before
    assert "No migrations to apply" in database.migrate()


def of_notifications(database):
    return {fact: v for fact, v in database.structure().items() if "vacation_notification" in fact}


@pytest.mark.mysql
@pytest.mark.release
@pytest.mark.parametrize("engine", ["MyISAM", "InnoDB"])  # without foreign keys, without an index
def test_a_settings_table_unsuitable_for_a_constraint_does_not_stop_the_migration(shaped, engine):
    database = shaped("2.1")
    database.execute(
        "CREATE TABLE config (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20) NOT NULL,"
        f" value varchar(20) NOT NULL) ENGINE={engine}"
    )
    database.migrate()
    assert "No migrations to apply" in database.migrate()


@pytest.mark.mysql
@pytest.mark.release
def test_a_table_gets_long_indexes_once_it_can_hold_them(shaped):
    database = shaped("2.1")
    database.migrate()
    assert long_indexes(database) == set()
    strict = "SET sql_mode = 'STRICT_TRANS_TABLES';"
    database.execute(f"{strict} ALTER TABLE mailbox ENGINE = InnoDB, ROW_FORMAT = COMPACT")
    database.migrate()
    assert long_indexes(database) == set()
    database.execute(f"{strict} ALTER TABLE mailbox ROW_FORMAT = DYNAMIC")
    database.migrate()
    assert long_indexes(database) == {"mailadmin_mailbox_search", "mailadmin_mailbox_search_in"}
    assert "No migrations to apply" in database.migrate()


def long_indexes(database):
    rows = database.rows("SHOW INDEX FROM mailbox")
    return {row[2] for row in rows if row[2].startswith("mailadmin_mailbox_search")}


# Partial schemas, engines


def test_each_missing_column_is_created_like_postfixadmin(shaped):
    database = shaped("1856")
    database.migrate()
    found = json.loads(database.panel("-m", "tests.partial_schemas"))
    assert len(found) > 30
    assert {name: after for name, (_before, after) in found.items()} == {
        name: before for name, (before, _after) in found.items()
    }


def test_superadmins_are_warned_about_tables_without_transactions(shaped):
    database = shaped("2.1")
    columns = database.columns()
    content = database.content(columns)
    database.migrate()
    assert "convert-tables" in database.home("root@example.net")
    assert "convert-tables" not in database.home("alice@example.org")

    tables = ["admin", "alias", "domain", "domain_admins", "log", "mailbox", "vacation"]
    assert database.panel("manage.py", "convert-tables", "--plan").split() == tables
    assert set(engines(database)) == {"InnoDB", "MyISAM"}
    assert database.panel("manage.py", "convert-tables").split() == tables
    assert set(engines(database, but="x_greylist")) == {"InnoDB"}
    assert long_indexes(database) == {"mailadmin_mailbox_search", "mailadmin_mailbox_search_in"}
    assert database.content(columns) == content
    assert "transactional already" in database.panel("manage.py", "convert-tables")
    assert "convert-tables" not in database.home("root@example.net")


def engines(database, but=""):
    rows = database.rows(
        "SELECT engine FROM information_schema.tables"
        f" WHERE table_schema = DATABASE() AND table_name <> '{but}'"
    )
    return [engine for (engine,) in rows]
