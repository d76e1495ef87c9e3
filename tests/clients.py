"""Browsers that create rows on panels which may fail meanwhile."""

import http.client
import http.cookiejar
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

from tests.base import PASSWORD

PATIENCE = 30  # timeout of a client in seconds


@dataclass
class Answer:
    status: int
    text: str = ""
    seconds: float = 0.0
    place: str = ""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Person:
    """A user with a browser, who may switch between panels."""

    def __init__(self, panel):
        self.panel, self.cookies = panel, http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(cookies, NoRedirect)

    def get(self, path):
        return self._request(path, None)

    def post(self, path, **data):
        token = next((c.value for c in self.cookies if c.name == "csrftoken"), "")
        data |= {"csrfmiddlewaretoken": token}
        return self._request(path, urllib.parse.urlencode(data).encode())

    def _request(self, path, data):
        url, began = f"http://127.0.0.1:{self.panel.port}{path}", time.monotonic()
        try:
            with self.opener.open(url, data, timeout=PATIENCE) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            seconds = time.monotonic() - began
            place = error.headers.get("Location", "")
            return Answer(error.code, error.read().decode(), seconds, place)

    def sign_in(self, name="root@example.net", password=PASSWORD):
        self.get("/login/")
        return self.post("/login/", username=name, password=password)

    def create(self, name, domain="open.example"):
        data = {"local_part": name, "domain": domain, "quota": "0", "active": "on"}
        secret = {"password": PASSWORD, "password2": PASSWORD}
        return self.post("/mailboxes/create/", **data, **secret)


@dataclass
class Writer:
    """Create mailboxes one after the other, each until its creation is confirmed."""

    number: int
    panels: list
    over: threading.Event
    done: list = field(default_factory=list)  # (moment, address)
    failed: list = field(default_factory=list)  # (moment, status)

    def work(self):
        me = Person(self.panels[self.number % len(self.panels)])
        assert me.sign_in().status == 302
        count = 0
        while not self.over.is_set():
            name = f"w{self.number}-{count}"
            self.create(me, name)
            self.done.append((time.monotonic(), f"{name}@open.example"))
            count += 1

    def create(self, me, name):
        """Create a mailbox; after a failure retry it on the next panel."""
        attempts = 0
        while (answer := self.attempt(me, name)).status != 302:
            exists = answer.status == 422 and "already exists" in answer.text
            if exists and attempts:
                return
            assert answer.status in (502, 503), f"{answer}\n{me.panel.log.read_text()[-9000:]}"
            self.failed.append((time.monotonic(), answer.status))
            attempts += 1
            me.panel = self.panels[(self.panels.index(me.panel) + 1) % len(self.panels)]
            time.sleep(0.2)

    def attempt(self, me, name):
        try:
            return me.create(name)
        except (OSError, http.client.HTTPException):
            return Answer(502)

    def longest_gap(self):
        moments = [moment for moment, _address in self.done]
        return max(b - a for a, b in zip(moments, moments[1:], strict=False))
