"""Links by which somebody sets up a device without signing in: used once, revoked, expired."""

import datetime
import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from mailadmin.changes.models import Change, Log
from mailadmin.changes.perform import Actor, perform
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import AppPassword, DeviceLink, Mailbox
from mailboxes.services.device_links import create_device_link, purge_expired_links, use_device_link
from mailboxes.services.mailboxes import delete_mailboxes
from tests.base import build_world
from tests.mailboxes.test_devices import BOB, SECRET_RE, enter, set_up

pytestmark = pytest.mark.django_db
CAROL = "carol@example.com"
OF_BOB, OF_CAROL = f"/mailboxes/{BOB}/device-links/", f"/mailboxes/{CAROL}/device-links/"
OWN = "/account/device/links/"
PANEL = "https://panel.example.net"
URL_RE = re.compile(rf'id="new-link">{PANEL}(/login/device/[^<]+)<')


@pytest.fixture(autouse=True)
def world(settings):
    settings.MAILADMIN_MAIL_HOST = "mail.{domain}"
    settings.MAILADMIN_URL = PANEL
    build_world()


@pytest.fixture
def alice():
    return enter("alice@example.org")


def create(client, url=OF_BOB, **values):
    """Create a link; return its path."""
    response = client.post(url, values)
    assert response.status_code == 200, response.content.decode()[:3000]
    return URL_RE.search(response.content.decode())[1]


def follow(path):
    """Open a link in a fresh browser; return its client and the page."""
    client = Client()
    response = client.get(path, follow=True)
    return client, response


def test_an_admin_hands_over_a_link_that_sets_up_one_device(alice):
    path = create(alice)
    client, response = follow(path)
    assert response.status_code == 200 and BOB in response.content.decode()
    page = set_up(client, "android", url="/login/device/")
    assert SECRET_RE.search(page) and AppPassword.objects.get().mailbox_id == BOB
    assert OutgoingMail.objects.filter(kind="app_password_added", recipient=BOB).exists()
    assert Log.objects.filter(action="add_app_password", username__startswith=BOB).exists()
    assert not DeviceLink.objects.exists()
    for again in (client, follow(path)[0]):
        assert again.get("/login/device/").status_code == 410
        assert again.post("/login/device/", {"device": "apple"}).status_code == 410
    assert AppPassword.objects.count() == 1


def test_opening_a_link_changes_nothing_and_leaves_the_address_bar(alice):
    path = create(alice)
    for _time in range(3):
        response = Client().get(path)
        assert response.status_code == 302 and response["Location"] == "/login/device/"
    assert DeviceLink.objects.count() == 1


def test_a_refused_name_does_not_use_up_the_link(alice):
    client, _response = follow(create(alice))
    set_up(client, url="/login/device/", status=422, description="a\nb")
    set_up(client, url="/login/device/", description="Phone")
    client, _response = follow(create(alice))
    set_up(client, url="/login/device/", status=422, description="Phone")
    assert DeviceLink.objects.count() == 1
    set_up(client, url="/login/device/", description="Tablet")


def test_only_a_hash_is_stored(alice):
    secret = create(alice).rstrip("/").rpartition(".")[2]
    stored = str(list(DeviceLink.objects.values())) + str(list(Change.objects.values()))
    assert secret not in stored
    assert DeviceLink.objects.get().secret_hash not in str(list(Change.objects.values()))
    assert secret not in alice.get(OF_BOB).content.decode()


def test_the_link_is_sent_by_mail_if_the_admin_says_where(alice):
    path = create(alice, send_to="bob@home.example")
    mail = OutgoingMail.objects.get(kind="device_link")
    assert mail.recipient == "bob@home.example"
    assert unseal_values(mail.sealed_values)["link"] == PANEL + path
    assert alice.post(OF_BOB, {"send_to": "nowhere"}).status_code == 422


def test_the_owner_continues_on_another_device():
    bob = enter(BOB)
    client, _response = follow(create(bob, OWN))
    set_up(client, url="/login/device/")
    assert AppPassword.objects.get().mailbox_id == BOB
    create(bob, OWN, send_to="x@home.example")
    assert not OutgoingMail.objects.filter(kind="device_link").exists()
    lifetime = DeviceLink.objects.get().expires - timezone.now()
    assert lifetime <= datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    "code", ["", "x", "1", "1.", "0.x", "9999999999.x", "²." + "x" * 43, "1" * 500]
)
def test_a_made_up_code_opens_nothing(alice, code):
    create(alice)
    client = Client()
    if code:
        assert client.get(f"/login/device/{code}/").status_code == 302
    response = client.get("/login/device/")
    assert response.status_code == 410 and "Link not valid" in response.content.decode()


def test_the_secret_of_one_link_is_not_that_of_another(alice):
    first, second = create(alice), create(alice)
    number, secret = first.strip("/").split("/")[1].split(".")[0], second.rpartition(".")[2]
    assert follow(f"/login/device/{number}.{secret}")[1].status_code == 410


def test_a_link_expires_and_is_deleted(alice):
    path = create(alice)
    DeviceLink.objects.update(expires=timezone.now() - datetime.timedelta(seconds=1))
    assert follow(path)[1].status_code == 410
    purge_expired_links()
    assert not DeviceLink.objects.exists()


@pytest.mark.parametrize("who", ["alice@example.org", BOB])
def test_admin_and_owner_revoke_a_link(who):
    client, base = enter(who), OWN if who == BOB else OF_BOB
    path = create(client, base)
    number = DeviceLink.objects.get().pk
    assert "Valid until" in client.get(base).content.decode()
    assert client.post(f"{base}{number}/revoke/").status_code == 302
    assert follow(path)[1].status_code == 410
    assert Log.objects.filter(action="delete_device_link", data=BOB).exists()


def test_nobody_makes_or_revokes_links_of_others(alice):
    root = enter("root@example.net")
    create(root, OF_CAROL)
    number = DeviceLink.objects.get().pk
    assert alice.get(OF_CAROL).status_code == 404
    assert alice.post(OF_CAROL).status_code == 404
    for url in (f"{OF_CAROL}{number}/revoke/", f"{OF_BOB}{number}/revoke/"):
        assert alice.post(url).status_code == 404
    bob = enter(BOB)
    assert bob.post(f"{OWN}{number}/revoke/").status_code == 404
    assert bob.get(OF_BOB).status_code == 403
    assert DeviceLink.objects.count() == 1


def test_a_link_needs_a_recent_proof_and_the_address_of_the_panel(alice, settings):
    assert enter("alice@example.org", with_proof=False).post(OF_BOB).status_code == 302
    settings.MAILADMIN_URL = None
    response = alice.post(OF_BOB)
    assert response.status_code == 422 and "MAILADMIN_URL" in response.content.decode()
    assert not DeviceLink.objects.exists()


def test_a_link_ends_with_its_mailbox(alice):
    path = create(alice)
    kept = DeviceLink.objects.get()
    Mailbox.objects.filter(pk=BOB).update(active=False)
    assert follow(path)[1].status_code == 410
    Mailbox.objects.filter(pk=BOB).update(
        active=True, created=timezone.now() + datetime.timedelta(hours=1)
    )
    assert follow(path)[1].status_code == 410  # PostfixAdmin deleted and created it again
    perform(Actor.console(), delete_mailboxes, [BOB])
    assert not DeviceLink.objects.filter(pk=kept.pk).exists()


def test_the_number_of_links_is_limited(alice):
    for _time in range(20):
        perform(Actor.console(), create_device_link, BOB, datetime.timedelta(days=1))
    assert alice.post(OF_BOB).status_code == 422


def test_a_link_of_somebody_else_is_refused_by_the_service(alice, rf):
    create(alice)
    carol = Mailbox.objects.get(pk=CAROL)
    request = rf.get("/")
    request.client_address = "192.0.2.1"
    with pytest.raises(ValidationError):
        key = DeviceLink.objects.get().pk
        perform(Actor.of_person(request, carol), use_device_link, key, "x", {}, "text")
    assert not AppPassword.objects.exists()
