"""Databases with views for the map files of older systems."""

import pytest
from django.db import connection

from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from tests.legacy_databases import Database
from tests.mailboxes.transfer.legacy_views.queries import run


@pytest.fixture
def old(mariadb, empty_database):
    """A database for the views."""
    return Database(mariadb, empty_database.rpartition("/")[2])


@pytest.fixture
def panel(mariadb):
    """The panel's own database, whose views are dropped afterwards."""
    yield Database(mariadb, connection.settings_dict["NAME"])
    for system in LEGACY_SYSTEMS:
        run(system, "--drop")


@pytest.fixture
def accounts(mariadb):
    """An account for Postfix and one for Dovecot, as options of the command."""
    for user in ("postfix_views", "dovecot_views"):
        mariadb.execute(f"CREATE OR REPLACE USER '{user}'@'%' IDENTIFIED BY 'reader'")
    yield ["--postfix-account", "postfix_views@%", "--dovecot-account", "dovecot_views@%"]
    mariadb.execute("DROP USER 'postfix_views'@'%', 'dovecot_views'@'%'")
