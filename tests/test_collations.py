"""The panel on databases whose collation is that of newer servers.

MariaDB 11.5 makes databases with uca1400, MySQL 8 with 0900: both ignore characters that nobody
sees, and take letters for equal that differ in their accents. MariaDB 10.11 has the first of them,
and `unicode_520`, which is nearest to the second.
"""

import os
import subprocess
import sys

import pytest

from mailadmin.env import BASE_DIR

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]
SUBJECTS = (
    "tests/domains/test_admins.py",
    "tests/domains/test_domains.py",
    "tests/mailadmin/test_door.py",
    "tests/mailadmin/test_throttling.py",
    "tests/mailboxes/test_aliases.py",
    "tests/mailboxes/test_mailboxes.py",
)


@pytest.mark.parametrize("collation", ["utf8mb4_uca1400_ai_ci", "utf8mb4_unicode_520_ci"])
def test_the_panel_does_not_depend_on_the_collation(collation):
    ours = ("PYTEST_", "TEST_", "MAILADMIN_")  # it starts a server of its own
    environ = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUBJECTS]
    done = subprocess.run(
        asked,
        cwd=BASE_DIR,
        env=environ | {"TEST_COLLATION": collation},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:]
