"""A panel under gunicorn as in production, and browsers that send requests to it."""

import http.client
import itertools
import json
import os
import re
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests import legacy_databases, servers
from tests.bench.filling import NOBODY, PASSWORD, TOKEN
from tests.postfixadmin import Fields

CLIENTS = 4
IDLE = 1  # seconds; soon after, gunicorn closes an idle connection


class Gunicorn(servers.Server):
    """The panel under gunicorn with deploy's settings, on one database.

    The program is this one, or that of another checkout with a `.venv-tests` of its own.
    """

    def __init__(self, url, checkout=None, python=sys.executable, options=(), **environ):
        super().__init__()
        self.port = servers.free_port()
        folder = checkout or legacy_databases.BASE_DIR
        own = Path(python).with_name("gunicorn")
        self.start(
            str(checkout / ".venv-tests/bin/gunicorn" if checkout else own),
            *("--config", str(folder / "deploy/gunicorn.conf.py"), *options),
            *("--bind", f"127.0.0.1:{self.port}", "tests.bench.counted:application"),
            cwd=folder,
            env=legacy_databases.environment(
                MAILADMIN_DATABASE_URL=url,
                MAILADMIN_LOG_LEVEL="ERROR",
                MAILADMIN_API_RATE="0",
                **environ,
            ),
        )
        self.wait_until(self._answers)

    def _answers(self):
        try:
            return Browser(self.port).request("GET", "/healthz").status == 200
        except OSError:
            return False

    def workers(self):
        """Return the processes that handle requests."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            return [int(pid) for pid in file.read().split()]

    def cpu(self):
        """Return the seconds of CPU that the workers have used."""
        ticks = 0
        for pid in self.workers():
            with open(f"/proc/{pid}/stat") as file:
                ticks += sum(map(int, file.read().rpartition(") ")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Return the memory of each worker in MB, including its share of common memory."""
        found = []
        for pid in self.workers():
            with open(f"/proc/{pid}/smaps_rollup") as file:
                found.append(int(re.search(r"^Pss: +(\d+)", file.read(), re.M)[1]) / 1024)
        return found


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    seconds: float

    def header(self, name):
        return float(self.headers.get(name, 0))


class Browser:
    """A persistent connection with cookies."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self.cookies, self.last = {}, 0

    def request(self, method, path, body=None, **headers):
        """Return the response and the time until its last byte."""
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            headers["Content-Type"] = "application/json"
        if time.monotonic() - self.last > IDLE:
            self.connection.close()
            self.connection.connect()
        begun = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        seconds = time.perf_counter() - begun
        self.last = time.monotonic()
        for text in response.headers.get_all("Set-Cookie", ()):
            name, _sep, value = text.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value
        return Answer(response.status, dict(response.headers), content, seconds)

    def fields(self, path):
        """Return the data that the forms of a page would send."""
        answer = self.request("GET", path)
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return Fields(answer.body.decode()).sent

    def sign_in(self, name, password=PASSWORD):
        if name == NOBODY:
            return self
        known = self.fields("/login/")
        body = known | {"username": name, "password": password}
        answer = self.request("POST", "/login/", body)
        if answer.status != 302:
            raise RuntimeError(f"{name} was not let in: {answer.status}")
        self.token = self.fields("/account/").get("csrfmiddlewaretoken", "")
        return self


def in_json(body, places):
    """Return the body of an API request, or nothing if there is none."""
    if not body:
        return None
    known = {f"{{{name}}}": str(place) for name, place in places.items()}
    return re.sub(r"\{\w+\}", lambda found: known[found[0]], json.dumps(body))


class Visits:
    """Requests of several users, each with their own browser."""

    def __init__(self, places, sign_in):
        self.places, self.sign_in, self.browsers = places, sign_in, {}

    def browser(self, person):
        if person not in self.browsers:
            self.browsers[person] = self.sign_in(person)
        return self.browsers[person]

    def request(self, page, person, number, **headers):
        """Request the page as this user and assert the expected response."""
        places = self.places | {"n": f"{person[0]}{number}"}
        browser = self.browser(person)
        path, body = page.path.format_map(places), None
        if path.startswith("/api/"):
            headers["Authorization"] = f"Bearer {TOKEN}{person}"
            body = in_json(page.body, places)
        elif page.method == "POST":
            given = {name: value.format_map(places) for name, value in page.body.items()}
            known = browser.fields(path) if page.form else {"csrfmiddlewaretoken": browser.token}
            body = known | given
        answer = browser.request(page.method, path, body, **page.headers, **headers)
        if answer.status != page.status:
            text = re.sub(r"<[^>]*>|\s+", " ", answer.body.decode(errors="replace"))
            raise RuntimeError(f"{person}: {path}: {answer.status} {text[-1500:]}")
        return answer


def clients_at(paths, port, cookies, seconds=None, requests=None, person=""):
    """Ask for these paths with all clients, so long or so often; requests per second."""
    counts, over = [0] * CLIENTS, threading.Event()

    def request(client):
        browser = Browser(port)
        browser.cookies = dict(cookies[client] if isinstance(cookies, list) else cookies)
        for path in itertools.cycle(paths):
            if over.is_set() or counts[client] == (requests or 0) // CLIENTS > 0:
                return
            token = {"Authorization": f"Bearer {TOKEN}{person}"} if "/api/" in path else {}
            if (answer := browser.request("GET", path, **token)).status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            counts[client] += 1

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(request, number) for number in range(CLIENTS)]
        if seconds:
            over.wait(seconds)
            over.set()
        for client in asked:
            client.result()  # or the error with which it ended
    return sum(counts) / (time.perf_counter() - begun)
