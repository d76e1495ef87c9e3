"""The pages that change the limits of an app password."""

import datetime

import pytest
from django.utils import timezone

from mailadmin.changes.models import Change, Log
from mailboxes.models import AppPassword, AppPasswordLimits
from tests.base import build_world
from tests.mailboxes.test_app_password_pages import BOB, CAROL, OF_BOB, OF_CAROL, OWN, create, enter

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world():
    build_world()


def limits_of(client, url, status=302, **values):
    """Send the form of limits with these changes; return the response."""
    form = client.get(url).context["form"]
    data = {name: form[name].value() or "" for name in ("protocols", "networks", "expires", "seen")}
    response = client.post(url, data | values)
    assert response.status_code == status, response.content.decode()[:3000]
    return response


@pytest.mark.parametrize(
    ("name", "page", "listed"),
    [(BOB, OWN, "/account/"), ("alice@example.org", OF_BOB, f"/mailboxes/{BOB}/")],
)
def test_owner_and_admin_edit_the_limits(name, page, listed):
    tomorrow = timezone.localdate() + datetime.timedelta(days=1)
    create(enter(BOB), networks="192.0.2.7")
    row, client = AppPassword.objects.get(), enter(name)
    url = f"{page}{row.pk}/"
    assert f'href="{url}"' in client.get(page).content.decode()
    shown = client.get(url)
    assert "192.0.2.7/32" in shown.content.decode() and row.password_hash not in str(shown.content)
    response = limits_of(client, url, protocols=["imap", "sieve"], expires=str(tomorrow))
    assert response["Location"] == page and page.startswith(listed)
    limits = AppPasswordLimits.objects.get()
    assert limits.protocol_names == ["IMAP", "ManageSieve"]
    assert limits.networks == "192.0.2.7/32"
    assert timezone.localtime(limits.expires).date() == tomorrow + datetime.timedelta(days=1)
    assert AppPassword.objects.get().password_hash == row.password_hash
    assert Log.objects.filter(action="edit_app_password", data=BOB).count() == 1
    change = Change.objects.filter(verb="edit", table="apppasswordlimits").get()
    assert change.values["pop3"] == [True, False]


def test_limits_are_saved_after_a_recent_proof_only():
    create(enter(BOB))
    url = f"{OWN}{AppPassword.objects.get().pk}/"
    bob = enter(BOB, with_proof=False)
    assert "Confirm that it is you" in bob.get(url).content.decode()
    response = bob.post(url, {"protocols": ["imap"]})
    assert response["Location"].startswith("/account/confirm/")
    assert AppPasswordLimits.objects.get().pop3


def test_limits_need_a_protocol_and_an_unchanged_row():
    bob = enter(BOB)
    create(bob)
    url = f"{OWN}{AppPassword.objects.get().pk}/"
    assert "Select at least one protocol" in limits_of(bob, url, 422, protocols=[]).content.decode()
    answer = limits_of(bob, url, 422, protocols=["imap"], seen="of another day")
    assert "changed this in the meantime" in answer.content.decode()
    assert AppPasswordLimits.objects.get().pop3


def test_an_expired_app_password_can_be_limited_further():
    bob = enter(BOB)
    create(bob)
    past = timezone.make_aware(datetime.datetime(2024, 5, 1))
    AppPasswordLimits.objects.update(expires=past)
    url = f"{OWN}{AppPassword.objects.get().pk}/"
    assert bob.get(url).context["form"]["expires"].value() == "2024-04-30"
    limits_of(bob, url, protocols=["imap"])
    limits = AppPasswordLimits.objects.get()
    assert (limits.expires, limits.protocol_names) == (past, ["IMAP"])
    assert "in the past" in limits_of(bob, url, 422, expires="2024-04-29").content.decode()


def test_there_is_nothing_to_edit_without_limits():
    """Those of PostfixAdmin have none; a generated one without is refused by Dovecot."""
    bob, alice = enter(BOB), enter("alice@example.org")
    create(bob)
    of_postfixadmin = AppPassword.objects.create(
        mailbox_id=BOB, description="Old", password_hash="x"
    )
    AppPasswordLimits.objects.create(app_password=of_postfixadmin)  # left from a former one
    lost = AppPassword.objects.get(description="Phone")
    AppPasswordLimits.objects.filter(pk=lost.pk).delete()
    for number in (of_postfixadmin.pk, lost.pk, 999999):
        for client, page in ((bob, OWN), (alice, OF_BOB)):
            assert f'href="{page}{number}/"' not in client.get(page).content.decode()
            assert client.get(f"{page}{number}/").status_code == 404
            assert client.post(f"{page}{number}/", {"protocols": ["imap"]}).status_code == 404


def test_nobody_edits_the_app_passwords_of_others():
    create(enter(CAROL))
    number = AppPassword.objects.get().pk
    alice, bob = enter("alice@example.org"), enter(BOB)
    data = {"protocols": ["imap"]}
    for path in (f"{OF_CAROL}{number}/", f"{OF_BOB}{number}/"):
        assert (alice.get(path).status_code, alice.post(path, data).status_code) == (404, 404)
        assert (bob.get(path).status_code, bob.post(path, data).status_code) == (403, 403)
    assert bob.post(f"{OWN}{number}/", data).status_code == 404
    assert alice.post(f"{OWN}{number}/", data).status_code == 403
    assert AppPasswordLimits.objects.get().pop3
