"""Servers of another Debian release."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mailadmin.conf import BASE_DIR
from tests import programs, releases
from tests.mailservers import needs_root
from tests.servers import Server

OTHER = releases.wanted("other")
pytestmark = pytest.mark.mailserver


def test_a_release_is_given_by_number_or_as_other():
    assert releases.wanted("") == releases.own()
    assert OTHER in programs.RELEASES and releases.own() != OTHER
    assert releases.wanted("12") == "12"


def test_an_unknown_release_stops_the_run_with_a_reason():
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TEST_")}
    stopped = subprocess.run(
        [sys.executable, "-c", "import tests.settings"],
        env=environ | {"MAILADMIN_TEST_DEBIAN": "9", "MAILADMIN_TEST_DATABASE": "sqlite"},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert stopped.returncode == 1
    assert "MAILADMIN_TEST_DEBIAN is one of: 12, 13, other" in stopped.stderr


@needs_root
@pytest.mark.parametrize("release", programs.RELEASES)
def test_each_release_runs_its_own_programs(release):
    result = subprocess.run(
        [releases.command("dovecot", release), "--version"], capture_output=True
    )
    assert result.stdout.decode().startswith(f"{programs.RELEASES[release].dovecot}.")


@needs_root
def test_another_release_sees_the_temporary_files_and_the_users_of_this_machine():
    test = [str(releases.scripts(OTHER) / "test"), "-r", "file"]
    with Server() as shared:
        shared.folder.chmod(0o755)
        file = shared.folder / "file"
        file.touch(0o640)
        shutil.chown(file, "nobody", "postfix")
        for user, status in (("nobody", 0), ("postfix", 0), ("root", 0), ("daemon", 1)):
            asked = subprocess.run(test, cwd=shared.folder, **releases.as_user(user))
            assert asked.returncode == status, user


@needs_root
def test_nothing_stays_mounted():
    subprocess.run([releases.scripts(OTHER) / "true"], check=True)
    assert str(releases.CACHE) not in Path("/proc/mounts").read_text()


def test_files_of_packages_are_those_of_the_tested_release(monkeypatch):
    monkeypatch.delenv(programs.ROOT_VARIABLE, raising=False)
    assert programs.installed("/usr/share/postfix") == Path("/usr/share/postfix")
    monkeypatch.setenv(programs.ROOT_VARIABLE, "/other")
    assert programs.installed("/usr/share/postfix") == Path("/other/usr/share/postfix")
