"""Outages of two panels on one MariaDB."""

import pytest

from tests.chaos import PREPARE, Served, repeatable, run_chaos
from tests.outages import MariaDBOutages
from tests.servers import MariaDB

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]


class OperatedMariaDB(MariaDB):
    """With an account for the panel as an operator makes it: bound by `read_only` and limits."""

    flush_at_commit = 1

    def initial_statements(self):
        initial_statements = super().initial_statements()
        with initial_statements.open("a") as file:
            # An account is not created if grants of its name are left from an earlier start.
            file.write("DELETE FROM mysql.db WHERE User = 'panel';\nFLUSH PRIVILEGES;\n")
            file.write("CREATE USER 'panel'@'%' IDENTIFIED BY 'secret';\n")
            file.write("GRANT ALL ON mailadmin.* TO 'panel'@'%';\n")
        return initial_statements


def test_on_mariadb_with_two_panels(seconds, seed, tmp_path):
    with OperatedMariaDB() as server:
        url = f"mysql://panel:secret@127.0.0.1:{server.client.port}/mailadmin"
        with Served(url, tmp_path) as first, Served(url, tmp_path) as second:
            first.python(PREPARE)
            panels = [first.run(), second.run()]
            run_chaos(panels, MariaDBOutages(panels, repeatable(seed), server), seconds, seed)
