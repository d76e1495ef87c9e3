"""Set up a device: the page of the owner, and what it hands out."""

import plistlib
import re

import pytest
from django.test import Client

from domains.models import Admin
from mailadmin.conf.client_servers import ServicePort
from mailadmin.mails.models import OutgoingMail
from mailboxes.devices.device_kinds import DEVICE_KINDS
from mailboxes.models import AppPassword, Mailbox
from mailboxes.services.app_password_hashes import hash_app_password
from tests.base import BACKENDS, build_world, give_proof

pytestmark = pytest.mark.django_db
BOB = "bob@example.org"
OWN = "/account/device/"
SECRET_RE = re.compile(r'id="new-app-password"[^>]*>([a-z0-9-]+)<')
PROFILE_RE = re.compile(r'name="profile" value="([^"]+)"')


@pytest.fixture(autouse=True)
def world(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"
    build_world()


@pytest.fixture
def bob():
    return enter(BOB)


def enter(name, with_proof=True):
    """Return the client of somebody who is signed in."""
    client, model = Client(), Mailbox if name == BOB else Admin
    client.force_login(model.objects.get(pk=name), backend=BACKENDS[model])
    if with_proof:
        give_proof(client)
    return client


def set_up(client, device="apple", url=OWN, status=200, **values):
    """Choose a device; return the page that follows."""
    response = client.post(url, {"device": device} | values)
    text = response.content.decode()
    assert response.status_code == status, text[:3000]
    return text


def get_protocols(row):
    return {name for name in AppPassword.PROTOCOLS if getattr(row.limits, name)}


@pytest.mark.parametrize("device", DEVICE_KINDS)
def test_each_device_gets_an_app_password_and_instructions(bob, device):
    page = set_up(bob, device)
    text = SECRET_RE.search(page)[1]
    row = AppPassword.objects.get()
    assert (row.mailbox_id, row.password_hash) == (BOB, hash_app_password(text))
    assert get_protocols(row) == ({"smtp"} if device == "sender" else {"imap", "smtp"})
    assert "mail.example.org" in page and "<ol" in page
    assert ("993" in page) is (device != "sender") and "465" in page
    assert OutgoingMail.objects.filter(kind="app_password_added", recipient=BOB).exists()
    assert text not in bob.get(OWN).content.decode()


def test_only_what_the_settings_offer_is_allowed(bob, settings):
    settings.MAILADMIN_MAIL_IMAP = ()
    settings.MAILADMIN_MAIL_SIEVE = (ServicePort(4190, "starttls"),)
    assert "4190" in set_up(bob, "thunderbird")
    assert get_protocols(AppPassword.objects.get()) == {"pop3", "smtp", "sieve"}
    assert "4190" not in set_up(bob, "outlook")
    assert get_protocols(AppPassword.objects.latest("pk")) == {"pop3", "smtp"}


def test_an_app_password_is_named_after_its_device_or_as_the_owner_says(bob):
    for device in ("outlook", "outlook", "thunderbird"):
        set_up(bob, device)
    set_up(bob, "outlook", description="At work")
    names = set(AppPassword.objects.values_list("description", flat=True))
    assert names == {"Outlook", "Outlook 2", "Thunderbird", "At work"}
    AppPassword.objects.filter(description="Thunderbird").update(description="thunderbird")
    assert "Thunderbird 2" in set_up(bob, "thunderbird")
    assert "already has an app password" in set_up(bob, status=422, description="At work")


@pytest.mark.parametrize(
    "values",
    [
        {"device": ""},
        {"device": "watch"},
        {"description": "a\nb"},
        {"description": "x" * 101},
        {"device": "", "description": "x" * 101},
    ],
)
def test_bad_values_are_refused_beside_the_field(bob, values):
    page = set_up(bob, status=422, **{"device": "apple"} | values)
    assert "invalid-feedback" in page or "invalid" in page
    assert not AppPassword.objects.exists()


def test_setting_up_needs_a_recent_proof():
    bob = enter(BOB, with_proof=False)
    assert "Confirm that it is you" in bob.get(OWN).content.decode()
    assert bob.post(OWN, {"device": "apple"})["Location"].startswith("/account/confirm/")
    assert not AppPassword.objects.exists()


def test_admins_have_no_such_page():
    assert enter("alice@example.org").get(OWN).status_code == 403


def test_the_profile_has_the_app_password_inside(bob):
    page = set_up(bob)
    text, request = SECRET_RE.search(page)[1], PROFILE_RE.search(page)[1]
    response = Client().post("/login/device/profile/", {"profile": request})
    assert response["Content-Type"] == "application/x-apple-aspen-config"
    account = plistlib.loads(response.content)["PayloadContent"][0]
    assert account["EmailAddress"] == BOB
    assert account["IncomingPassword"] == account["OutgoingPassword"] == text


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: "x" + text, lambda _: ""])
def test_nobody_else_makes_profiles(bob, change):
    request = PROFILE_RE.search(set_up(bob))[1]
    response = Client().post("/login/device/profile/", {"profile": change(request)})
    assert response.status_code == 410
    assert "Profile not available" in response.content.decode()


def test_a_profile_can_be_downloaded_for_an_hour(bob, monkeypatch):
    request = PROFILE_RE.search(set_up(bob))[1]
    monkeypatch.setattr("mailboxes.devices.setup.PROFILE_SECONDS", -1)
    assert Client().post("/login/device/profile/", {"profile": request}).status_code == 410


def test_without_known_servers_the_page_says_whom_to_ask(bob, settings):
    settings.MAILADMIN_MAIL_HOST = ""
    for device in DEVICE_KINDS:
        page = set_up(bob, device)
        assert "Ask your administrator" in page and "device/profile" not in page


def test_the_page_is_in_the_language_of_its_reader(bob):
    bob.cookies["django_language"] = "de"
    assert "App-Passwort" in set_up(bob)
