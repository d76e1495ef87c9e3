"""Chromium on the panel, which records its requests and errors."""

import os
import shutil
from dataclasses import dataclass, field

import pytest
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import sync_playwright

from tests.base import PASSWORD, build_world

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

MAIN_BUTTONS = "main form.panel button.btn-primary, main .panel form button.btn-primary"
MAIN_BUTTONS += ", main form .btn-danger"
FOCUSED = "document.activeElement.name || document.activeElement.textContent.trim()"


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or "/usr/bin/chromium"
    assert os.path.exists(path), "chromium is not installed; tests/run installs what tests need"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A user with a browser."""

    page: object
    base: str
    complaints: list = field(default_factory=list)
    foreign_requests: list = field(default_factory=list)

    def note_message(self, message):
        """Keep an error of the console; htmx calls a request that it gave up for a newer one so."""
        is_given_up = message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))
        if message.type == "error" and not is_given_up:
            self.complaints.append(message.text)

    def go(self, path):
        self.page.goto(self.base + path)
        return self.page

    def sign_in(self, name, password=PASSWORD):
        self.go("/login/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", password)
        self.submit()

    @property
    def has_javascript(self):
        return bool(self.page.locator("html.js").count())

    def sign_out(self):
        self.page.click(".topend summary")
        self.page.click("form[action='/logout/'] button")
        self.page.wait_for_url("**/login/")

    def is_signed_in(self):
        self.page.wait_for_selector(".whoami")
        return True

    def submit(self, text=None):
        buttons = self.page.locator(MAIN_BUTTONS)
        (self.page.get_by_role("button", name=text) if text else buttons).first.click()
        self.page.wait_for_load_state()

    def fill(self, **values):
        """Fill in the form's fields; True and False are checkboxes."""
        for name, value in values.items():
            place = self.page.locator(f"main [name={name}]").first
            if name == "password2" and not place.is_visible():
                continue  # asked for without JavaScript only
            if isinstance(value, bool):
                place.set_checked(value)
            elif place.get_attribute("type") == "radio":
                self.page.check(f"main [name={name}][value={value}]")
            elif place.evaluate("e => e.tagName") == "SELECT":
                place.select_option(value)
            else:
                place.fill(value)

    def wait_for_focus(self, name):
        """Wait until a field has the focus.

        `wait_for_function` is not used: it evaluates its text in the page, which the content
        security policy forbids whenever the first attempt does not succeed.
        """
        self.page.locator(f"[name={name}]:focus").wait_for()

    def type(self, name, text):
        """Type into a field once it has the focus; what is typed before would be lost."""
        self.wait_for_focus(name)
        self.page.keyboard.type(text)

    def tab_to(self, name):
        """Press Tab until a field of this name, or what has this text, has the focus."""
        for _stop in range(60):
            if self.page.evaluate(FOCUSED) == name:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{name} cannot be reached")

    def says(self, text, **values):
        """Return whether the page shows a text of the panel, in the language of the browser."""
        language = self.page.get_attribute("html", "lang")
        assert self.page.evaluate("navigator.language").startswith(language)
        with translation.override(language):
            return gettext(text) % values in self.text

    @property
    def text(self):
        return self.page.inner_text("body")

    def cut(self):
        """Return the elements that overflow, including the page itself."""
        self.page.wait_for_load_state()
        return self.page.evaluate(
            """() => [document.documentElement, ...document.querySelectorAll("main *")]
                .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1)
                .filter((e) => !["INPUT", "TEXTAREA", "SELECT"].includes(e.tagName))
                .filter((e) => getComputedStyle(e).overflowX !== "visible"
                    || e === document.documentElement)
                // Ends in “…”, with the whole text when it is pointed to or has the focus.
                .filter((e) => getComputedStyle(e).textOverflow !== "ellipsis")
                // Wide tables scroll by themselves, also by keys.
                .filter((e) => !e.matches(".scroll[tabindex]"))
                .map((e) => e.tagName + "." + e.className)"""
        )


@pytest.fixture
def world(transactional_db):
    build_world()


@pytest.fixture
def panel_url(settings, live_server):
    """The address of the panel, which passkeys and links in mails need."""
    settings.MAILADMIN_URL = live_server.url


@pytest.fixture
def visitor(request, chromium, live_server, world):
    """A visitor; indirect parameters are those of a browser context."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}
    context = chromium.new_context(**options | getattr(request, "param", {}))
    context.set_default_timeout(15_000)
    visitor = Visitor(context.new_page(), live_server.url)
    page = visitor.page
    page.on("console", visitor.note_message)
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.on(
        "request",
        lambda r: (
            r.url.startswith((live_server.url, "data:")) or visitor.foreign_requests.append(r.url)
        ),
    )
    yield visitor
    context.close()
    assert visitor.foreign_requests == [], "a page sent a request to another host"
