"""A copy of the repository, and the panel that `deploy/run` starts from it."""

import http.cookiejar
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

from mailadmin.conf import BASE_DIR
from tests.servers import free_port

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


def copy_repository(folder):
    """Copy the repository without what is not shipped."""
    copied = folder / "mailadmin"
    shutil.copytree(
        BASE_DIR, copied, ignore=shutil.ignore_patterns(*NOT_SHIPPED.split()), symlinks=True
    )
    return copied
