"""Views for the map files of older systems: accounts and rights."""

import re
from dataclasses import replace

import pytest

from mailadmin.conf import BASE_DIR
from tests.mailboxes.delivery.sending import (
    domain,
    mailbox,
)
from tests.mailboxes.transfer.legacy_views.queries import (
    MAIL_SYSTEMS,
    definition,
    definitions,
    dovecot_queries,
    postfix_queries,
    run,
    run_alone,
    table_names,
    verbs,
)
from tests.mailboxes.transfer.observed_servers import Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def restricted_account(mariadb, panel, old):
    """Create an account that reads the panel's tables, with more grants; return its URL."""
    place = Place(mariadb, panel.name, "clerk", "clerk").with_account()
    mariadb.execute(f"GRANT SHOW VIEW ON `{old.name}`.* TO 'clerk'@'%'")
    yield f"mysql://clerk:clerk@127.0.0.1:{mariadb.port}/{place.name}"
    mariadb.execute("DROP USER 'clerk'@'%'")


def test_without_the_right_to_create_views_nothing_is_created(restricted_account, old):
    status, error, said = run_alone(restricted_account, "ispmail", "--database", old.name)
    assert (status, said, old.tables()) == (1, "", [])
    assert f"{old.name}.virtual_domains" in error
    assert "CREATE VIEW command denied" in error
    assert "Traceback" not in error


def test_the_rights_of_the_documentation_are_enough(mariadb, restricted_account, old):
    page = (BASE_DIR / "docs/webmail.md").read_text("utf-8")
    (rights,) = re.findall(r"^ *GRANT ([A-Z, ]*VIEW[A-Z, ]*) ON postfix", page, re.MULTILINE)
    mariadb.execute(f"GRANT {rights} ON `{old.name}`.* TO 'clerk'@'%'")
    for options, outcome in (((), "created"), ((), "unchanged"), (("--drop",), "removed")):
        options = "nextcloud", "--database", old.name, *options
        status, error, said = run_alone(restricted_account, *options)
        assert (status, set(verbs(said).values())) == (0, {outcome}), error


def test_if_the_third_view_fails_the_others_are_rolled_back(mariadb, restricted_account, old):
    """The second exists with an older definition and is restored."""
    run("ispmail", "--database", old.name)
    old.execute("DROP VIEW virtual_domains, virtual_aliases")
    wording = definition(old, "virtual_users")
    other = re.sub(r"mailadmin_compat_\w+", "mailadmin_compat_0123456789ab", wording)
    old.execute(f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW virtual_users AS {other}")
    for name in ("virtual_domains", "virtual_users"):
        rights = "SELECT, CREATE, DROP, SHOW VIEW, CREATE VIEW"
        mariadb.execute(f"GRANT {rights} ON `{old.name}`.{name} TO 'clerk'@'%'")
    before = old.structure(), definitions(old)
    status, error, _said = run_alone(restricted_account, "ispmail", "--database", old.name)
    assert status == 1
    assert f"{old.name}.virtual_aliases" in error
    assert (old.structure(), definitions(old)) == before


def run_as(user, sql, database):
    """Return the server's reply to an account."""
    client = replace(database.server, user=user, password="reader")
    return client.run(sql, database.name)


@pytest.mark.parametrize("system", MAIL_SYSTEMS)
def test_each_account_can_run_its_queries_and_postfix_reads_no_password(old, accounts, system):
    domain()
    mailbox("bob@example.org")
    old.server.execute(run(system, "--database", old.name, *accounts))
    users = "virtual_users" if system == "ispmail" else "users"
    for query in postfix_queries(system, "bob@example.org"):
        assert run_as("postfix_views", query, old).returncode == 0
    for column in ("password", "*"):
        assert "denied" in run_as("postfix_views", f"SELECT {column} FROM {users}", old).stderr
    assert (
        "denied" in run_as("dovecot_views", f"SELECT 1 FROM {table_names(system)[0]}", old).stderr
    )
    for query in dovecot_queries(system, "bob@example.org"):
        assert run_as("dovecot_views", query, old).stdout.count("\n") == 1
    for user in ("postfix_views", "dovecot_views"):
        assert "denied" in run_as(user, "SELECT 1 FROM test_mailadmin.alias", old).stderr
        assert "denied" in run_as(user, f"SHOW CREATE VIEW {users}", old).stderr
