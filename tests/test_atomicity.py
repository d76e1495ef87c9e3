"""Atomicity: a process killed during a change leaves all of it or nothing."""

import json
import os
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import environment


@pytest.fixture(scope="module")
def deaths(request, tmp_path_factory):
    """Return change → contents after the process was killed at its first statement, its second …"""
    if os.environ["TEST_DATABASE"] == "sqlite":
        url = f"sqlite://{tmp_path_factory.mktemp('killed')}/mailadmin.sqlite3"
    else:
        url = request.getfixturevalue("mariadb").create("killed")
    for arguments in (["manage.py", "migrate"], ["-m", "tests.kill_at_statement"]):
        result = subprocess.run(
            [sys.executable, *arguments],
            env=environment(MAILADMIN_DATABASE_URL=url),
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "change",
    [
        "create a domain",
        "create a mailbox",
        "create a mailbox by its form",
        "edit a mailbox",
        "edit an alias",
        "go away",
        "create an admin",
        "edit an admin",
        "delete an admin",
        "delete a mailbox",
        "delete a domain",
    ],
)
def test_a_change_killed_at_any_statement_is_rolled_back(deaths, change):
    assert len(deaths[change]) > 5
    assert set(deaths[change]) <= {"nothing", "all"}
    assert deaths[change][0] == "nothing"
