"""The pictures of the documentation show what the panel looks like today.

`WRITE_PICTURES=1 tests/run tests/browser/test_documentation_pictures.py` takes them anew.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from domains.models import Domain
from domains.services.domains import edit_domain
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Mailbox, Usage
from mailboxes.services.aliases import create_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.forwardings import set_forwarding
from mailboxes.services.mailboxes import create_mailboxes
from mailboxes.services.tallies import recount_tallies
from tests.browser.test_pictures import difference, shrink

pytestmark = [pytest.mark.browser, pytest.mark.mariadb]
ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "docs/pictures"
MEAN, LARGEST = 2, 60  # dates and fonts differ, a page of another design differs by far more


class Picture(NamedTuple):
    """A page as this person sees it; with values for its form, the page that follows."""

    username: str
    path: str
    viewport: dict[str, int] = {"width": 1180, "height": 760}
    form: dict[str, str] = {}
    next_url: str = "**/ready/"  # of the page that follows


PHONE = {"width": 390, "height": 844}
APP_PASSWORD = "k7mq-2wzd-x9hp-r4tb-n6vc"
INVITATION = {"local_part": "dora", "name": "Dora Maar", "invitation_to": "dora@elsewhere.example"}
PICTURES = {
    "home": Picture("root@example.net", "/"),
    "domain": Picture("root@example.net", "/domains/example.org/"),
    "mailboxes": Picture("root@example.net", "/mailboxes/?domain=example.org"),
    "new-mailbox": Picture("alice@example.org", "/mailboxes/create/?domain=example.org"),
    "mailbox": Picture("alice@example.org", "/mailboxes/bob@example.org/"),
    "explain": Picture("root@example.net", "/explain/?address=info@example.org"),
    "invitation": Picture(
        "alice@example.org", "/mailboxes/create/?domain=example.org", form=INVITATION
    ),
    "device": Picture("bob@example.org", "/account/device/", PHONE | {"height": 740}),
    "device-settings": Picture(
        "bob@example.org", "/account/device/", PHONE | {"height": 1380}, {"device": "android"}, ""
    ),
    "owner": Picture("bob@example.org", "/", PHONE),
    "second-factors": Picture("bob@example.org", "/account/factors/", PHONE | {"height": 560}),
    "forgotten-password": Picture("", "/login/forgot/", {"width": 480, "height": 480}),
}
NAMES = [
    *("Anna Bauer", "Boris Ivanov", "Clara Rossi", "David Jones", "Emma Novak", "Felix Weber"),
    *("Grace Kim", "Henry Smith", "Ines Garcia", "Jonas Lind", "Klara Svoboda"),
]


def create_rows():
    """Fill the domain of the pictures as a small company would."""
    console, domain = Actor.console(), Domain.objects.get(pk="example.org")
    limits = {"mailboxes": 25, "aliases": 50, "quota": 51200, "maxquota": 4096}
    perform(console, edit_domain, domain.pk, limits | {"description": "Bakery on the corner"})
    stored = Mailbox.objects.get(pk="bob@example.org").password
    rows = [
        {"local_part": name.split()[0].lower(), "name": name, "domain": domain, "quota": 2048}
        for name in NAMES
    ]
    perform(console, create_mailboxes, [row | {"password": stored} for row in rows])
    aliases = {
        "sales": ["anna@example.org", "boris@example.org"],
        "invoices": ["clara@example.org", "books@accounting.example"],
    }
    for name, targets in aliases.items():
        row = {"local_part": name, "domain": domain, "goto": targets, "description": ""}
        perform(console, create_aliases, [row])
    perform(console, create_domains, [{"domain": "example.net", "default_aliases": False}])
    perform(console, set_forwarding, "bob@example.org", ["anna@example.org"], True)
    for number, mailbox in enumerate(Mailbox.objects.filter(domain=domain).order_by("pk")):
        used = (mailbox.quota or 10**8) * (number * 37 % 100) // 100
        Usage.objects.create(mailbox_id=mailbox.pk, bytes=used, messages=number * 41)
    recount_tallies()


def open_page(visitor, picture):
    visitor.page.set_viewport_size(picture.viewport)
    if picture.username:
        visitor.sign_in(picture.username)
    visitor.go(picture.path)
    if picture.form:
        visitor.fill(**picture.form)
        visitor.submit()
        visitor.page.wait_for_url(picture.next_url or f"**{picture.path}")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_its_page(visitor, settings, monkeypatch, name):
    picture, file = PICTURES[name], FOLDER / f"{name}.png"
    settings.MAILADMIN_URL = "https://mail.example.org"
    settings.MAILADMIN_MAIL_HOST = "mail.example.org"
    settings.MAILADMIN_FETCHMAIL, settings.MAILADMIN_DKIM = False, "no"  # as by default
    settings.MAILADMIN_MAILDIRS = False
    monkeypatch.setattr("mailboxes.devices.forms.generate_app_password", lambda: APP_PASSWORD)
    create_rows()
    open_page(visitor, picture)
    visitor.page.wait_for_load_state("networkidle")
    taken = visitor.page.screenshot()
    if os.environ.get("WRITE_PICTURES"):
        FOLDER.mkdir(exist_ok=True)
        file.write_bytes(taken)
    found = difference(shrink(visitor, taken), shrink(visitor, file.read_bytes()))
    assert found[0] <= MEAN and found[1] <= LARGEST, f"{name} differs by {found}"


def test_every_picture_is_shown_somewhere():
    texts = [path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    shown = re.findall(r"!\[[^\]]+\]\((?:docs/)?pictures/([a-z-]+)\.png\)", "\n".join(texts))
    assert set(shown) == set(PICTURES) == {path.stem for path in FOLDER.glob("*.png")}
