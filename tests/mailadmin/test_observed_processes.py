"""Metrics and logs of running processes."""

import json
import os
import re
import subprocess
import sys
import urllib.request

import pytest

from mailadmin.conf import BASE_DIR
from mailadmin.observability import metrics
from tests.legacy_databases import environment
from tests.servers import Server, free_port


class Panel(Server):
    """gunicorn with two processes."""

    def __init__(self, **environ):
        super().__init__()
        self.port = free_port()
        self.environ = environment(
            MAILADMIN_DATABASE_URL=f"sqlite://{self.folder}/panel.sqlite3",
            MAILADMIN_BIND=f"127.0.0.1:{self.port}",
            TMPDIR=str(self.folder),
            **environ,
        )

    def run(self):
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=BASE_DIR, env=self.environ, check=True)
        config = BASE_DIR / "deploy/gunicorn.conf.py"
        arguments = ("-m", "gunicorn", "--config", config)
        self.start(sys.executable, *arguments, cwd=BASE_DIR, env=self.environ)
        self.wait_until(lambda: self.get("/healthz"))
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as response:
                return response.read().decode()
        except OSError:
            return ""


@pytest.mark.sqlite
def test_metrics_are_summed_over_all_web_processes():
    with Panel() as panel:
        panel.run()
        before = scraped(panel, "login")
        for _request in range(40):
            panel.get("/login/")
        assert {scraped(panel, "login") for _any in range(10)} == {before + 40}
        folders = [f.name for f in panel.folder.glob("mailadmin-metrics-*")]
        assert len(folders) == 1
        panel.process.terminate()
        panel.process.wait()
        assert not (panel.folder / folders[0]).exists()


def scraped(panel, view):
    name = rf'mailadmin_request_seconds_count{{.*view="{view}".*}} (\d+)'
    found = re.search(name, panel.get("/metrics"))
    return int(found[1]) if found else 0


@pytest.mark.sqlite
def test_the_json_log_is_json_from_the_first_line_to_the_last():
    with Panel(MAILADMIN_LOG_FORMAT="json") as panel:
        panel.run()
        panel.get("/login/")
        panel.get("/nowhere")
        worker = re.search(r"\d+", " ".join(children(panel.process.pid)))[0]
        os.kill(int(worker), 9)  # gunicorn itself logs something about that
        panel.wait_until(lambda: '"gunicorn.error"' in panel.log.read_text())
        lines = panel.log.read_text().splitlines()
    objects = [json.loads(line) for line in lines if not line.startswith("mailadmin: http")]
    assert {"mailadmin.access", "gunicorn.error"} <= {line["logger"] for line in objects}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def test_commands_do_not_import_metrics():
    code = (
        "import django, sys; django.setup(); import mailadmin.urls;"
        " sys.exit('prometheus_client' in sys.modules)"
    )
    environ = environment(MAILADMIN_DATABASE_URL=os.environ["TEST_DATABASE_URL"])
    assert subprocess.run([sys.executable, "-c", code], cwd=BASE_DIR, env=environ).returncode == 0
    assert metrics.REGISTRY


@pytest.mark.sqlite
def test_the_panel_is_loaded_before_the_web_processes_are_forked(tmp_path):
    """They share its memory then; a connection to the database must not be shared."""
    code = (
        "import gc, runpy, sys; conf = runpy.run_path('deploy/gunicorn.conf.py');"
        " conf['when_ready'](None); from django.db import connection;"
        " print('mailadmin.urls' in sys.modules, gc.get_freeze_count() > 50_000,"
        " connection.connection)"
    )
    environ = environment(MAILADMIN_DATABASE_URL=f"sqlite://{tmp_path}/x.sqlite3")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=BASE_DIR, env=environ, capture_output=True, text=True)
    assert done.stdout == "True True None\n", done.stderr
