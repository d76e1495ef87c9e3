"""MariaDB stopped and restarted under a running panel."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.mariadb


def test_the_panel_reports_a_lost_database_and_recovers():
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAILADMIN_")}
    result = subprocess.run(
        [sys.executable, "-m", "tests.database_outage"],
        capture_output=True,
        text=True,
        env=own,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout.splitlines()[-1])
    assert [answer["status"][:3] for answer in answers] == ["302", "503", "503", "302", "302"]
    assert [answer["says_so"] for answer in answers] == [False, True, True, False, False]
    assert answers[1]["retry"]
