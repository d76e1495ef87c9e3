"""First start of the panel from a fresh copy with `deploy/run`."""

import http.cookiejar
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import pytest

from mailadmin.conf import BASE_DIR
from tests.servers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.deploy, pytest.mark.xdist_group("deploy")]
PATIENCE = 300  # seconds for a first start, most of which is pip
NOT_SHIPPED = (
    ".git .venv* *.sqlite3* __pycache__ .*_cache .hypothesis first-admin-password *.egg-info"
)


class Panel:
    """A runnable copy of the panel."""

    process = None

    def __init__(self, folder):
        self.folder, self.mark = folder, f"TEST_MARK={uuid.uuid4()}"
        self.bind = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.bind}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process and self.process.poll() is None:
            self.stop()

    def start(self, **environ):
        """Run deploy/run until it prints its URL or ends; return its output so far."""
        ours = ("MAILADMIN_", "DJANGO_", "TEST_")
        bare = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
        bare |= {
            "MAILADMIN_ENV_FILE": "/dev/null",
            "MAILADMIN_BIND": self.bind,
            "TEST_MARK": self.mark[10:],
        }
        with (self.folder / "said").open("w") as output:
            self.process = subprocess.Popen(
                [self.folder / "deploy/run"],
                env=bare | environ,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and self.url not in self.output():
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)
        return self.output()

    def output(self):
        return (self.folder / "said").read_text()

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)

    def processes(self):
        """Return the commands of all its processes, by process ID."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
            except OSError:  # gone meanwhile
                continue
        return found

    def part(self, name):
        """Return the process ID of the web server or the worker, or None."""
        found = [pid for pid, comm in self.processes().items() if comm == name]
        return min(found, default=None)

    def sign_in(self, username, password):
        """Sign in with this password and return the next URL."""
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(cookies)
        page = browser.open(f"{self.url}/login/").read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token}
        try:
            return browser.open(f"{self.url}/login/", urllib.parse.urlencode(form).encode()).url
        except urllib.error.HTTPError as error:
            return error.url


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
    folder = tmp_path_factory.mktemp("deploy") / "mailadmin"
    shutil.copytree(
        BASE_DIR, folder, ignore=shutil.ignore_patterns(*NOT_SHIPPED.split()), symlinks=True
    )
    return folder


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
