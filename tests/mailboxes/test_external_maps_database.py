"""Routes by an operator's own database: queried safely."""

import os
import subprocess
import time

import pytest

from mailboxes.mailserver.routing_config import load_routing_config
from mailboxes.postfix.routing import LookupUnavailable
from tests.mailboxes.external_files import route, settle
from tests.postfix_server import map_file
from tests.programs import command


@pytest.fixture(scope="module")
def alias_table(mariadb):
    """An external database: one table, which must not be changed."""
    name = f"asking_{os.getpid()}"
    mariadb.create(name)
    mariadb.execute(
        "CREATE TABLE alias (address varchar(255) PRIMARY KEY, goto text);"
        "INSERT INTO alias VALUES ('info@example.org', 'bob@example.org'),"
        " ('@example.org', 'x@far.test')",
        name,
    )
    yield name
    mariadb.execute(f"DROP DATABASE `{name}`")


@pytest.fixture
def account(mariadb, alias_table, tmp_path):
    """A configuration whose alias map has this query and an account with these rights."""
    user = f"reader_{os.getpid()}"

    def make(query, *grants, **settings):
        mariadb.execute(f"CREATE OR REPLACE USER {user}@'%' IDENTIFIED BY 'secret-word'")
        for grant in grants:
            mariadb.execute(f"GRANT {grant} TO {user}@'%'", alias_table)
        own = {
            "hosts": f"127.0.0.1:{mariadb.port}",
            "user": user,
            "password": "secret-word",
            "dbname": alias_table,
        }
        (tmp_path / "alias.cf").write_text(map_file(own | settings, query))
        (tmp_path / "main.cf").write_text(
            "virtual_mailbox_domains = example.org\n"
            f"virtual_alias_maps = mysql:{tmp_path}/alias.cf\n"
        )
        return tmp_path

    yield make
    mariadb.execute(f"DROP USER IF EXISTS {user}@'%'")


READING = "SELECT ON alias"


@pytest.mark.mariadb
@pytest.mark.parametrize(
    "grant", ["INSERT ON *.*", "ALL ON *.*", "FILE ON *.*", "UPDATE (goto) ON alias"]
)
def test_an_account_with_write_access_is_refused(account, grant):
    folder = account("SELECT goto FROM alias WHERE address = '%s'", READING, grant)
    with pytest.raises(LookupUnavailable, match="has more than read access") as error:
        route(folder, "bob@example.org")
    assert "secret-word" not in str(error.value)


@pytest.mark.mariadb
@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1; DELETE FROM alias WHERE '%s' = '%s'",
        "DELETE FROM alias WHERE address = '%s'",
        "CALL something('%s')",
        "SELECT goto FROM alias WHERE address = '%s' FOR UPDATE",
        "SELECT goto FROM nowhere WHERE address = '%s'",
        "SELECT sleep(20) WHERE '%s' <> ''",
    ],
)
def test_a_query_that_does_more_than_select_is_an_error_and_changes_nothing(
    account, mariadb, alias_table, query
):
    folder, begun = account(query, READING), time.monotonic()
    with pytest.raises(LookupUnavailable, match="cannot be queried") as error:
        route(folder, "bob@example.org")
    assert time.monotonic() - begun < 10
    assert "secret-word" not in str(error.value)
    assert mariadb.execute("SELECT COUNT(*) FROM alias", alias_table) == ["2"]


@pytest.mark.mariadb
@pytest.mark.parametrize("hosts", ["", "127.0.0.1:abc", "unix:/nowhere"])
def test_an_invalid_host_is_an_error(account, hosts):
    folder = account("SELECT goto FROM alias WHERE address = '%s'", hosts=hosts)
    with pytest.raises(LookupUnavailable, match="cannot be queried"):
        route(folder, "bob@example.org")


@pytest.mark.mariadb
def test_an_unreachable_server_is_named(account):
    folder = account("SELECT goto FROM alias WHERE address = '%s'", hosts="127.0.0.1:1")
    with pytest.raises(LookupUnavailable, match="127.0.0.1:1"):
        route(folder, "bob@example.org")


@pytest.mark.mariadb
def test_a_lost_connection_is_an_error_and_the_next_lookup_connects_again(account, mariadb):
    folder = account("SELECT goto FROM alias WHERE address = '%s'", READING)
    [table] = load_routing_config(folder).virtual_alias_maps
    assert table.look_up("info@example.org").value == "bob@example.org"
    mariadb.execute(f"KILL {table.connection.thread_id()}")
    assert "cannot be queried" in table.look_up("who@example.org").error
    assert table.look_up("@example.org").value == "x@far.test"


@pytest.mark.mariadb
@pytest.mark.mailserver
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"domain": "example.com example.net"},
        {"domain": "example.org"},
        {"result_format": "%u+copy@%d"},
        {"result_format": "%s, root@%D"},
    ],
)
def test_the_settings_of_a_map_work_like_postfix(account, settings):
    query = "SELECT goto, 'second@far.test' FROM alias WHERE address = '%s'"
    folder = account(query, READING, **settings)
    table = load_routing_config(folder).virtual_alias_maps[0]
    for key in ("info@example.org", "@example.org", "who@example.org", "info"):
        assert table.look_up(key).value == by_postmap(folder, key), key


def by_postmap(folder, key):
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/main.cf").write_text("compatibility_level = 3.6\nmyhostname = mail.test\n")
    settle(folder)
    result = subprocess.run(
        [command("postmap"), "-c", folder / "etc", "-q", key, f"mysql:{folder}/alias.cf"],
        capture_output=True,
        text=True,
    )
    return result.stdout.rstrip("\n") if result.returncode == 0 else None
