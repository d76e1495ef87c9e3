"""First start of the panel from a fresh copy with `deploy/run`."""

import os
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.deployed_panel import Panel, copy_repository

pytestmark = [pytest.mark.slow, pytest.mark.deploy, pytest.mark.xdist_group("deploy")]


def wait_for(condition, seconds=60):
    """Return the value of the condition as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def status_of(url):
    """Return the status of a page; 0 without a response."""
    try:
        return urllib.request.build_opener().open(url, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("deploy"))


@pytest.fixture
def panel(copy):
    with Panel(copy) as panel:
        yield panel


@pytest.fixture
def installed(panel):
    """The panel after its first start."""
    if not (panel.folder / "first-admin-password").exists():
        panel.start()
        panel.stop()
    return panel


def test_one_command_serves_the_panel_to_its_first_superadmin(panel):
    output = panel.start()
    password = panel.folder / "first-admin-password"
    assert str(password) in output
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text().strip() not in output
    assert panel.sign_in("admin@localhost", password.read_text().strip()) == f"{panel.url}/"
    assert panel.sign_in("admin@localhost", "not this one") == f"{panel.url}/login/"


def test_metrics_include_all_processes(panel):
    panel.start()
    for _time in range(5):
        urllib.request.build_opener().open(f"{panel.url}/login/").read()
    metrics = urllib.request.build_opener().open(f"{panel.url}/metrics").read().decode()
    count = 'mailadmin_request_seconds_count{method="GET",status="2xx",view="login"}'
    assert f"{count} " in metrics, metrics
    assert float(metrics.partition(count)[2].split()[0]) >= 5


def test_the_database_and_its_key_are_private(installed):
    for name in ("mailadmin.sqlite3", "mailadmin.sqlite3.secret-key"):
        assert (installed.folder / name).stat().st_mode & 0o777 == 0o600


def test_a_second_start_changes_nothing(installed):
    password = (installed.folder / "first-admin-password").read_text()
    output = installed.start()
    assert output.splitlines() == [f"mailadmin: {installed.url}/"]
    assert (installed.folder / "first-admin-password").read_text() == password


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stopping_leaves_no_process(installed, number):
    installed.start()
    assert {"mailadmin-web", "mailadmin-worke"} <= set(installed.processes().values())
    installed.process.send_signal(number)
    assert installed.process.wait(60) == 0, installed.output()
    assert installed.processes() == {}


def test_killing_leaves_no_process(installed):
    installed.start()
    assert "mailadmin-web" in installed.processes().values()
    installed.process.kill()
    installed.process.wait()
    deadline = time.monotonic() + 60
    while installed.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert installed.processes() == {}


@pytest.mark.parametrize(
    ("name", "words"), [("mailadmin-web", "the web server"), ("mailadmin-worke", "the worker")]
)
def test_a_process_that_dies_is_restarted(installed, name, words):
    installed.start()
    # gunicorn's workers are forks of the web server, which is the oldest.
    part = installed.part(name)
    os.kill(part, signal.SIGKILL)
    wait_for(lambda: f"mailadmin: {words} has ended (signal 9)" in installed.output())
    wait_for(lambda: installed.part(name) not in (None, part))
    assert installed.process.poll() is None
    wait_for(lambda: status_of(f"{installed.url}/readyz") == 200)
    assert installed.stop() == 0
    wait_for(lambda: installed.processes() == {})


def test_a_process_that_keeps_ending_is_restarted_with_backoff(installed):
    installed.start()
    for wait in (1, 2, 4):
        part = wait_for(lambda: installed.part("mailadmin-worke"))
        os.kill(part, signal.SIGKILL)
        wait_for(lambda wait=wait: f"starting it again in {wait} s" in installed.output())
    assert status_of(f"{installed.url}/healthz") == 200


def test_a_wrong_setting_is_reported_before_anything_is_done(panel):
    output = panel.start(MAILADMIN_QUOTA_MULTIPLIER="many")
    assert output == "mailadmin: MAILADMIN_QUOTA_MULTIPLIER 'many' is not a whole number\n"
    assert panel.process.wait() == 1


def test_an_address_in_use_is_reported(installed):
    host, port = installed.bind.split(":")
    with socket.create_server((host, int(port))):
        output = installed.start()
    assert output == f"mailadmin: MAILADMIN_BIND {installed.bind}: Address already in use\n"
    assert installed.process.wait() == 1


def test_an_unreachable_database_is_reported(installed):
    output = installed.start(MAILADMIN_DATABASE_URL="sqlite:///nowhere/mail")
    assert output.startswith("mailadmin: MAILADMIN_DATABASE_URL: the folder /nowhere is missing")
    assert output.count("\n") == 1


@pytest.mark.mariadb
def test_mysql_needs_one_variable_and_a_secret_key(panel, empty_database):
    given = {
        "MAILADMIN_DATABASE_URL": empty_database,
        "MAILADMIN_SECRET_KEY": "0123456789" * 6,
        "MAILADMIN_ADMIN": "root@example.net",
        "MAILADMIN_ADMIN_PASSWORD": "correct horse 42",
    }
    output = panel.start(**given)
    assert panel.url in output
    assert "correct horse" not in output
    assert panel.sign_in("root@example.net", "correct horse 42") == f"{panel.url}/"
    panel.stop()
    assert panel.start(**given).splitlines() == [f"mailadmin: {panel.url}/"]
