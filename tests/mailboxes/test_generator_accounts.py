"""The database accounts of the generated configuration."""

import dataclasses
import re
import subprocess

import pytest
from django.db import connection

from domains.models import Transport
from mailboxes.mailserver.generator.accounts import get_account_privileges
from tests import mailservers
from tests.base import build_world
from tests.mailboxes.generated_files import MAPS, config
from tests.programs import command


@pytest.fixture(scope="module")
def accounts(mariadb, django_db_setup, django_db_blocker, tmp_path_factory):
    """Write the files and create their accounts: account → allowed statements."""
    place = tmp_path_factory.mktemp("accounts")
    folders = {"postfix": place / "postfix", "dovecot": place / "dovecot"}
    with django_db_blocker.unblock():
        mailservers.store_passwords(folders["postfix"])
        config(folders, "--overwrite")
        name = connection.settings_dict["NAME"]
    sql = (folders["postfix"] / "mailadmin/accounts.sql").read_text()
    mariadb.execute(sql * 2)  # which can be repeated
    found = dict(re.findall(r"'mailadmin_(\w+)'@'localhost' IDENTIFIED BY '(\w+)'", sql))
    for account, password in found.items():
        client = dataclasses.replace(mariadb, user=f"mailadmin_{account}", password=password)
        found[account] = lambda sql, client=client: client.run(sql, name)
    return folders, found


INTO_QUOTA = "INSERT INTO quota2 (bytes, username) VALUES (5, 'x@x.test')"
NOTE = "INSERT INTO vacation_notification (on_vacation, notified) VALUES ('x@x.test', 'y@y.test')"
MAY = {
    "postfix": [
        "SELECT goto FROM alias WHERE address = 'x'",
        "SELECT username, maildir, quota, active FROM mailbox",
        "SELECT transport FROM mailadmin_transport WHERE pattern = '*' AND active = 1",
    ],
    "dovecot": [
        "SELECT username, password, maildir, quota, smtp_active FROM mailbox",
        f"{INTO_QUOTA} ON DUPLICATE KEY UPDATE bytes = 5",
        f"{INTO_QUOTA} ON DUPLICATE KEY UPDATE bytes = bytes + 1",
        "UPDATE quota2 SET bytes = 6 WHERE username = 'x@x.test'",
        "SELECT bytes FROM quota2 WHERE username = 'x@x.test'",
        "DELETE FROM quota2 WHERE username = 'x@x.test'",
    ],
    "autoreply": ["SELECT subject, body, interval_time FROM vacation", NOTE],
    "panel": [
        "SELECT password FROM mailbox",
        "INSERT INTO alias (address, goto, domain) VALUES ('x@x.test', 'y', 'x.test')",
        "UPDATE alias SET goto = 'z' WHERE address = 'x@x.test'",
        "DELETE FROM alias WHERE address = 'x@x.test'",
        "DELETE FROM vacation_notification WHERE on_vacation = 'x@x.test'",
    ],
}
STRUCTURE = [
    "ALTER TABLE alias ADD COLUMN x INT",
    "CREATE TABLE x (y INT)",
    "DROP TABLE quota2",
    "TRUNCATE TABLE alias",
    "SELECT user FROM mysql.user",
    "GRANT SELECT ON alias TO nobody",
]
WRITING = [
    "INSERT INTO alias (address, goto, domain) VALUES ('x@x.test', 'y', 'x.test')",
    "UPDATE mailbox SET active = 1",
    "DELETE FROM domain",
    "SELECT password FROM admin",
    "SELECT secret FROM mailadmin_changesecret",
]
MAY_NOT = {
    "postfix": [
        *WRITING,
        INTO_QUOTA,
        "SELECT password FROM mailbox",
        "SELECT * FROM mailbox",
        "SELECT description FROM mailadmin_transport",
        "INSERT INTO mailadmin_transport (pattern, transport) VALUES ('*', 'discard:')",
    ],
    "dovecot": [*WRITING, "SELECT goto FROM alias", "UPDATE mailbox SET password = 'x'"],
    "autoreply": [*WRITING, INTO_QUOTA, "SELECT password FROM mailbox"],
    "panel": [],
}


@pytest.mark.mariadb
@pytest.mark.parametrize("account", MAY)
def test_an_account_has_exactly_the_required_rights(accounts, transactional_db, account):
    run = accounts[1][account]
    for sql in MAY[account]:
        assert run(sql).returncode == 0, (sql, run(sql).stderr)
    beside = connection.settings_dict["NAME"].replace("_", "x")
    neighbour = f"SELECT * FROM `{beside}`.alias"
    for sql in [*MAY_NOT[account], *STRUCTURE, neighbour]:
        said = run(sql)
        assert said.returncode and "denied" in said.stderr, sql


def test_the_panels_own_table_has_no_prefix(settings):
    settings.MAILADMIN_TABLE_PREFIX = "pfa_"
    name = connection.settings_dict["NAME"].replace("`", "``")
    places = {
        place.removeprefix(f"`{name}`.") for _what, place in get_account_privileges()["postfix"]
    }
    assert {"`mailadmin_transport`", "`pfa_alias`"} < places


@pytest.mark.mariadb
@pytest.mark.mailserver
def test_postfixs_account_can_query_every_map(accounts, transactional_db):
    folders, _accounts = accounts
    build_world()
    for key, active in (("bob@example.org", True), ("example.org", False)):
        Transport.objects.create(pattern=key, transport="smtp:[mx.example]:25", active=active)
    expected = {
        ("virtual_mailbox_domains", "example.org"): "example.org",
        ("virtual_alias", "info@example.org"): "bob@example.org",
        ("virtual_alias_mailbox", "bob@example.org"): "bob@example.org",
        ("virtual_mailbox", "bob@example.org"): "example.org/bob/",
        ("sender_login", "bob@example.org"): "bob@example.org",
        ("sender_login", "info@example.org"): "bob@example.org",
        ("transport", "example.org"): "",
        ("transport_pattern", "bob@example.org"): "smtp:[mx.example]:25",
        ("transport_pattern", "example.org"): "",
    }
    keys = "example.org\nbob@example.org\ninfo@example.org\n@example.org\né@example.org\nжук@ж.рф\n"
    for name in MAPS:
        found = postmap(folders["postfix"], name, keys)
        for key in keys.split():
            if (name, key) in expected:
                assert found.get(key, "") == expected[name, key], (name, key)


def postmap(folder, name, keys, kind="mysql"):
    """Return a map's result for each key; a table that cannot be queried fails."""
    said = subprocess.run(
        [command("postmap"), "-c", folder, "-q", "-", f"{kind}:{folder}/mailadmin/{name}.cf"],
        input=keys,
        capture_output=True,
        text=True,
    )
    assert said.returncode in (0, 1) and not said.stderr, said.stderr
    return dict(line.split("\t") for line in said.stdout.splitlines())
