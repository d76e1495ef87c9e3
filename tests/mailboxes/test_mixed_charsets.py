"""An older database to which a newer PostfixAdmin has added tables in another charset."""

import json
import os

import pytest

from tests.legacy_databases import Database

pytestmark = pytest.mark.mariadb
COUNT = 300  # mailboxes of example.org
ROWS = """
ALTER TABLE mailbox CONVERT TO CHARACTER SET latin1;
ALTER TABLE mailbox_app_password CONVERT TO CHARACTER SET utf8mb4;
INSERT INTO domain (domain, description, aliases, mailboxes, maxquota, quota, transport, backupmx,
    created, modified, active) SELECT name, '', 0, 0, 0, 0, 'virtual', 0, NOW(), NOW(), 1
    FROM (SELECT 'example.org' AS name UNION SELECT 'example.com') AS names;
INSERT INTO admin (username, password, created, modified, active, superadmin)
    VALUES ('alice@example.org', '', NOW(), NOW(), 1, 0);
INSERT INTO domain_admins (username, domain, created, active)
    VALUES ('alice@example.org', 'example.org', NOW(), 1);
INSERT INTO mailbox (username, password, name, maildir, quota, local_part, domain, created,
    modified, active) SELECT CONCAT('m', seq, '@', domain), '', '', '', 0, CONCAT('m', seq), domain,
    NOW(), NOW(), 1 FROM seq_1_to_{count} JOIN domain WHERE domain LIKE 'example.%';
INSERT INTO mailbox_app_password (id, username, description, password_hash) VALUES
    (1, 'm7@example.org', 'Phone', '{{MAILADMIN}}x'), (2, 'm7@example.com', 'Phone', 'x'),
    (3, 'gone@example.org', 'Phone', 'x');
INSERT INTO mailadmin_app_password (app_password, networks, created) VALUES
    (1, '', NOW()), (2, '', NOW());
ANALYZE TABLE mailbox, mailbox_app_password, mailadmin_app_password;
"""
FIND = """
import json, django
django.setup()
from domains.models import Admin
from mailboxes.models import AppPassword, AppPasswordLimits
from tests.bench.counted import counting
alice = Admin.objects.get(pk="alice@example.org")
alice.managed_domains()
found = {}
for model in (AppPassword, AppPasswordLimits):
    list(model.objects.visible_to(alice).filter(pk=0))
    with counting() as cost:
        rows = list(model.objects.visible_to(alice).filter(pk__in=[1, 2, 3]))
    found[model.__name__] = [[row.pk for row in rows], cost.rows]
print(json.dumps(found))
"""


@pytest.fixture
def mixed(mariadb):
    database = Database(mariadb, f"mixed_{os.getpid()}")
    mariadb.create(database.name)
    database.migrate()
    database.load(ROWS.format(count=COUNT))
    yield database
    database.drop()


def test_app_passwords_are_found_in_scope_by_an_index(mixed):
    found = json.loads(mixed.panel("-c", FIND))
    for name, (keys, rows_read) in found.items():
        assert keys == [1], name
        assert rows_read < COUNT / 10, (name, rows_read)


COLLATIONS = """
ALTER TABLE mailbox CONVERT TO CHARACTER SET latin1 COLLATE latin1_swedish_ci;
ALTER TABLE mailbox_app_password CONVERT TO CHARACTER SET latin1 COLLATE latin1_general_ci;
"""
OF_DOMAIN = """
import json, django
django.setup()
from mailadmin import registry
from mailboxes.models import AppPassword
rows = registry.tables["app-passwords"].filter_by_domain(AppPassword.objects.all(), "example.org")
print(json.dumps([row.pk for row in rows]))
"""


def test_app_passwords_of_a_domain_are_found_where_columns_cannot_be_joined(mixed):
    """MariaDB refuses to compare columns of two collations: error 1267."""
    mixed.load(COLLATIONS)
    assert json.loads(mixed.panel("-c", OF_DOMAIN)) == [1]
