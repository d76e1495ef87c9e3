"""Views for the map files of older systems: the command."""

import json

import pytest
from django.db import connection

from mailboxes.models import Mailbox
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from tests.mailboxes.delivery.sending import (
    domain,
    mailbox,
)
from tests.mailboxes.transfer.legacy_views.queries import (
    definition,
    definitions,
    refusal,
    run,
    run_alone,
    table_names,
    verbs,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
]


def count_created_views():
    """Return how many views the connection of the command has created."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Com_create_view'")
        return int(cursor.fetchone()[1])


@pytest.mark.parametrize("system", LEGACY_SYSTEMS)
def test_views_are_created_once_and_removed_again(old, system):
    there = dict.fromkeys(table_names(system), "created")
    assert verbs(run(system, "--database", old.name)) == there
    assert sorted(old.tables()) == sorted(there)
    made = count_created_views()
    assert made >= len(there)
    said = run(system, "--database", old.name)
    assert set(verbs(said).values()) == {"unchanged"}
    assert count_created_views() == made
    assert set(verbs(run(system, "--database", old.name, "--drop")).values()) == {"removed"}
    assert old.tables() == []
    assert set(verbs(run(system, "--database", old.name, "--drop")).values()) == {"did not exist"}


def test_without_a_name_they_are_in_the_panels_own_database(panel):
    tables = set(panel.tables())
    expected = json.loads(run("ispmail", "--json"))
    assert expected["database"] == panel.name
    assert expected["views"] == dict.fromkeys(table_names("ispmail"), "made")
    assert set(panel.tables()) - tables == set(expected["views"])
    assert [line for line in expected["grants"] if "`password`" in line] == []


def test_all_systems_fit_into_one_database(old):
    for system in LEGACY_SYSTEMS:
        run(system, "--database", old.name)
    run("ispmail", "--database", old.name, "--drop")
    others = [name for system in LEGACY_SYSTEMS for name in table_names(system)]
    assert sorted(old.tables()) == sorted(set(others) - set(table_names("ispmail")))


STRANGE = {
    "a table": "CREATE TABLE users (email int); INSERT INTO users VALUES (1)",
    "a view": "CREATE TABLE mine (email int); CREATE VIEW users AS SELECT email FROM mine",
}


@pytest.mark.parametrize("statement", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("drop", [[], ["--drop"]], ids=["make", "drop"])
def test_foreign_objects_are_named_and_kept(old, statement, drop):
    old.execute(statement)
    before = old.structure(), definitions(old)
    said = refusal("forwardings", "--database", old.name, *drop)
    assert f"{old.name}.users" in said
    assert (old.structure(), definitions(old)) == before


def test_a_foreign_view_of_the_same_name_is_kept(old):
    run("ispmail", "--database", old.name)
    old.execute("CREATE OR REPLACE VIEW virtual_users AS SELECT 1 AS id")
    before = definitions(old)
    for drop in ([], ["--drop"]):
        said = refusal("ispmail", "--database", old.name, *drop)
        assert "virtual_users" in said
        assert "virtual_domains" not in said
    assert definitions(old) == before


def test_a_view_with_another_definition_is_recreated(old, settings):
    run("ispmail", "--database", old.name)
    settings.MAILADMIN_VACATION_DOMAIN = "away.example"
    assert verbs(run("ispmail", "--database", old.name)) == {
        "virtual_domains": "unchanged",
        "virtual_users": "unchanged",
        "virtual_aliases": "created again",
    }


def test_a_view_with_invoker_security_is_recreated(old):
    """Readers have no rights on the panel's tables."""
    run("forwardings", "--database", old.name)
    text = definition(old, "users")
    old.execute(f"ALTER SQL SECURITY INVOKER VIEW users AS {text}")
    assert verbs(run("forwardings", "--database", old.name))["users"] == "created again"
    assert verbs(run("forwardings", "--database", old.name))["users"] == "unchanged"


@pytest.mark.parametrize("name", ["nowhere", "a`b", "x; DROP TABLE alias", "'", "🐎", " "])
def test_a_missing_database_is_named(name):
    assert f"The database {name} does not exist," in refusal("ispmail", "--database", name)


def test_a_database_may_have_any_name(mariadb, accounts):
    """The printed statements can be run unchanged."""
    name = "it's `quoted`; 100% -- so"
    quoted = name.replace("`", "``")
    mariadb.execute(f"CREATE DATABASE `{quoted}`")
    try:
        mariadb.execute(run("forwardings", "--database", name, *accounts))
        assert set(verbs(run("forwardings", "--database", name)).values()) == {"unchanged"}
        run("forwardings", "--database", name, "--drop")
    finally:
        mariadb.execute(f"DROP DATABASE `{quoted}`")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ispmail", "--postfix-account", "postfix"],
        ["ispmail", "--dovecot-account", "o'brien@localhost"],
        ["ispmail", "--dovecot-account", "dovecot@localhost; DROP TABLE alias"],
        ["sogo", "--sogo-account", "sogo"],
        ["ispmail", "--database", ""],
        ["courier"],
    ],
)
def test_wrong_usage_is_distinguished_from_a_refusal(panel, arguments):
    tables = panel.tables()
    status, error, said = run_alone(panel.server.url(panel.name), *arguments)
    assert (status, said, panel.tables()) == (2, "", tables)
    assert "Traceback" not in error


def test_views_are_refused_on_sqlite(tmp_path):
    status, error, _said = run_alone(f"sqlite://{tmp_path}/panel.sqlite3", "ispmail")
    assert status == 1
    assert error == "CommandError: Compatibility views are available for MySQL and MariaDB only.\n"


def test_an_unmigrated_database_is_reported(mariadb, old):
    status, error, _said = run_alone(mariadb.url(old.name), "ispmail")
    assert status == 1
    assert "mailadmin migrate" in error
    assert "Traceback" not in error
    assert old.tables() == []


def test_mailboxes_in_folders_unknown_to_older_files_are_reported(old):
    """Postfix's file derives it from the address."""
    domain()
    for name in ("bob", "eve", "joe"):
        mailbox(f"{name}@example.org")
    Mailbox.objects.filter(pk="bob@example.org").update(maildir="Example.org/bob/")
    Mailbox.objects.filter(pk="joe@example.org").update(maildir="example.org/joe")
    said = run("forwardings", "--database", old.name)
    assert "-- 2 mailboxes have different folders" in said
    assert said.endswith(": bob@example.org, joe@example.org\n")
    assert "mailboxes" not in run("ispmail", "--database", old.name)
