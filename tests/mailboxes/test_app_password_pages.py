"""The pages of app passwords, of an owner and of admins."""

import datetime
import re
import time

import pytest
from django.test import Client
from django.utils import timezone

from domains.models import Admin
from mailadmin import passwords
from mailadmin.changes.models import Change, Log
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import unseal_values
from mailboxes.models import (
    AppPassword,
    AppPasswordLimits,
    AppPasswordSalt,
    LastLogin,
    Mailbox,
    MailboxMailLogin,
)
from mailboxes.services.app_password_hashes import hash_app_password
from mailboxes.services.leftovers import purge_orphaned_app_passwords
from tests.base import BACKENDS, build_world, give_proof

pytestmark = pytest.mark.django_db
BOB, CAROL = "bob@example.org", "carol@example.com"
OWN = "/account/app-passwords/"
OF_BOB, OF_CAROL = f"/mailboxes/{BOB}/app-passwords/", f"/mailboxes/{CAROL}/app-passwords/"
ALL = ["imap", "pop3", "smtp", "sieve"]
SECRET_RE = re.compile(r'id="new-app-password">([a-z0-9-]+)<')


@pytest.fixture(autouse=True)
def world():
    build_world()


def enter(name, with_proof=True):
    """Return the client of somebody who is signed in."""
    client, model = Client(), Mailbox if name in (BOB, CAROL) else Admin
    client.force_login(model.objects.get(pk=name), backend=BACKENDS[model])
    if with_proof:
        give_proof(client)
    return client


def create(client, url=OWN, status=200, **values):
    """Create an app password; return its text, or the page if it was refused."""
    data = {"description": "Phone", "protocols": ALL} | values
    response = client.post(url, data)
    assert response.status_code == status, response.content.decode()[:3000]
    text = response.content.decode()
    return SECRET_RE.search(text)[1] if status == 200 else text


def test_an_owner_creates_an_app_password_that_is_shown_once():
    bob = enter(BOB)
    text = create(bob)
    assert re.fullmatch(r"([a-km-z2-9]{4}-){4}[a-km-z2-9]{4}", text)
    row = AppPassword.objects.get()
    assert (row.mailbox_id, row.description) == (BOB, "Phone")
    assert row.password_hash == hash_app_password(text)
    page = bob.get(OWN).content.decode()
    assert text not in page and "Phone" in page
    assert Log.objects.filter(action="add_app_password", data=BOB, domain="example.org").exists()
    assert text not in str(list(Change.objects.values()))
    assert row.password_hash not in str(list(Change.objects.values()))


def test_the_owner_gets_a_mail_about_each_new_app_password():
    create(enter("alice@example.org"), OF_BOB, description="Laptop")
    mail = OutgoingMail.objects.get(kind="app_password_added")
    assert mail.recipient == BOB and "Laptop" in unseal_values(mail.sealed_values)["what"]


def test_the_limits_are_stored():
    tomorrow = timezone.localdate() + datetime.timedelta(days=1)
    create(
        enter(BOB), protocols=["smtp"], networks="192.0.2.7\n2001:db8::/48", expires=str(tomorrow)
    )
    limits = AppPasswordLimits.objects.get()
    assert limits.protocol_names == ["SMTP"]
    assert limits.networks == "192.0.2.7/32,2001:db8::/48"
    assert timezone.localtime(limits.expires).date() == tomorrow + datetime.timedelta(days=1)


@pytest.mark.parametrize(
    "values",
    [
        {"description": ""},
        {"description": "a\nb"},
        {"description": "x" * 101},
        {"protocols": []},
        {"protocols": ["ftp"]},
        {"networks": "office"},
        {"networks": "\n".join(f"192.0.2.{number}" for number in range(21))},
        {"expires": "2020-01-01"},
        {"expires": "soon"},
    ],
)
def test_bad_values_are_refused_beside_the_field(values):
    page = create(enter(BOB), status=422, **values)
    assert "invalid-feedback" in page
    assert not AppPassword.objects.exists()


def test_two_app_passwords_of_a_mailbox_have_different_names():
    bob = enter(BOB)
    create(bob)
    assert "already has an app password" in create(bob, status=422)
    assert AppPassword.objects.count() == 1
    create(enter(CAROL))
    assert AppPassword.objects.count() == 2


def test_the_number_of_app_passwords_is_limited():
    AppPassword.objects.bulk_create(
        AppPassword(mailbox_id=BOB, description=str(number), password_hash="x")
        for number in range(50)
    )
    assert "too many" in create(enter(BOB), status=422)


def test_creating_one_needs_a_recent_proof():
    bob = enter(BOB, with_proof=False)
    response = bob.post(OWN, {"description": "Phone", "protocols": ALL})
    assert response.status_code == 302 and response["Location"].startswith("/account/confirm/")
    assert not AppPassword.objects.exists()
    assert "Confirm that it is you" in bob.get(OWN).content.decode()


def test_an_app_password_does_not_open_the_panel():
    text = create(enter(BOB))
    client = Client()
    response = client.post("/login/", {"username": BOB, "password": text})
    assert response.status_code == 422 or b"Incorrect" in response.content
    assert client.get("/account/").status_code == 302
    assert not Mailbox.objects.get(pk=BOB).check_password(text)


def test_owner_and_admin_revoke_one_or_all():
    bob, alice = enter(BOB), enter("alice@example.org")
    for name in ("Phone", "Tablet", "Laptop", "Watch"):
        create(bob, description=name)
    rows = {row.description: row.pk for row in AppPassword.objects.all()}
    assert bob.post(f"{OWN}{rows['Phone']}/revoke/").status_code == 302
    assert alice.post(f"{OF_BOB}{rows['Tablet']}/revoke/").status_code == 302
    assert set(AppPassword.objects.values_list("description", flat=True)) == {"Laptop", "Watch"}
    response = alice.post(f"{OF_BOB}revoke/", follow=True)
    assert "2 app passwords were revoked." in response.content.decode()
    assert not AppPassword.objects.exists() and not AppPasswordLimits.objects.exists()
    assert Log.objects.filter(action="delete_app_password").count() == 4


def test_nobody_reaches_the_app_passwords_of_others():
    create(enter(CAROL))
    number = AppPassword.objects.get().pk
    alice, bob = enter("alice@example.org"), enter(BOB)
    for path in (OF_CAROL, f"{OF_CAROL}{number}/revoke/", f"{OF_BOB}{number}/revoke/"):
        assert alice.post(path, {"description": "x", "protocols": ALL}).status_code == 404
        assert bob.post(path, {"description": "x", "protocols": ALL}).status_code == 403
    assert alice.get(OF_CAROL).status_code == 404
    assert bob.get(OF_BOB).status_code == 403
    assert bob.post(f"{OWN}{number}/revoke/").status_code == 404
    assert alice.get(OWN).status_code == 403
    assert AppPassword.objects.count() == 1


def test_the_list_shows_what_postfixadmin_made_and_what_has_lost_its_limits():
    bob = enter(BOB)
    text = create(bob)
    AppPassword.objects.create(
        mailbox_id=BOB, description="Old", password_hash=passwords.make_hash("x-12345", BOB)
    )
    assert "created in PostfixAdmin" in bob.get(OWN).content.decode()
    AppPasswordLimits.objects.filter(app_password__password_hash=hash_app_password(text)).delete()
    assert "limits of this password are missing" in bob.get(OWN).content.decode()


def test_the_list_shows_what_comes_from_another_installation():
    bob = enter(BOB)
    create(bob)
    AppPasswordSalt.objects.update(salt="of another installation")
    assert "created in another installation" in bob.get(OWN).content.decode()


def test_the_list_shows_the_last_use():
    bob = enter(BOB)
    create(bob)
    number = AppPassword.objects.get().pk
    assert "Never" in bob.get(OWN).content.decode()
    for protocol, age in (("pop3", 90), ("imap", 5)):
        LastLogin.objects.create(
            mailbox_id=BOB,
            protocol=protocol,
            app_password=number,
            address="192.0.2.9",
            at=int(time.time()) - age,
        )
    page = bob.get(OWN).content.decode()
    assert "IMAP, 192.0.2.9" in page and "POP3, 192.0.2.9" not in page


def test_the_page_of_a_mailbox_shows_its_last_sign_ins(settings):
    alice, now = enter("alice@example.org"), int(time.time())
    assert "none recorded" in alice.get(f"/mailboxes/{BOB}/").content.decode()
    for number, (protocol, age) in enumerate([("imap", 90), ("imap", 5), ("pop3", 50)]):
        LastLogin.objects.create(
            mailbox_id=BOB,
            protocol=protocol,
            app_password=number,
            address=f"192.0.2.{number}",
            at=now - age,
        )
    page = alice.get(f"/mailboxes/{BOB}/").content.decode()
    assert "192.0.2.0" not in page
    assert page.index("192.0.2.1") < page.index("192.0.2.2")
    settings.MAILADMIN_LAST_LOGIN_DAYS = 0
    assert "192.0.2.1" not in alice.get(f"/mailboxes/{BOB}/").content.decode()


def test_deleting_the_mailbox_deletes_its_app_passwords():
    create(enter(BOB))
    enter("alice@example.org").post(f"/mailboxes/{BOB}/delete/", {"confirm": BOB})
    assert not Mailbox.objects.filter(pk=BOB).exists()
    assert not AppPassword.objects.exists() and not AppPasswordLimits.objects.exists()


def test_a_new_mailbox_inherits_nothing_from_an_earlier_one_of_its_name():
    old = AppPassword.objects.create(
        mailbox_id="new@example.org", description="Old", password_hash="x"
    )
    LastLogin.objects.create(mailbox_id="new@example.org", protocol="imap", at=5)
    values = {"local_part": "new", "domain": "example.org", "quota": "1", "active": "on"}
    secret = {"password": "correct-horse-42", "password2": "correct-horse-42"}
    response = enter("alice@example.org").post("/mailboxes/create/", values | secret)
    assert response.status_code == 302, response.content.decode()[:2000]
    assert not AppPassword.objects.filter(pk=old.pk).exists()
    assert not LastLogin.objects.exists()


def test_the_worker_revokes_what_deleted_mailboxes_have_left():
    """PostfixAdmin deletes the mailbox alone."""
    create(enter(BOB))
    MailboxMailLogin.objects.create(mailbox_id=BOB, app_passwords_only=True)
    kept = AppPassword.objects.create(mailbox_id=CAROL, description="Old", password_hash="x")
    unowned = AppPassword.objects.create(mailbox=None, description="Old", password_hash="x")
    purge_orphaned_app_passwords()
    assert AppPassword.objects.count() == 3
    Mailbox.objects.filter(pk=BOB)._raw_delete("default")
    purge_orphaned_app_passwords()
    assert set(AppPassword.objects.values_list("pk", flat=True)) == {kept.pk, unowned.pk}
    assert not AppPasswordLimits.objects.exists() and not MailboxMailLogin.objects.exists()


def test_an_app_password_is_no_older_than_its_mailbox():
    """Another program may have created the mailbox by another clock; Dovecot compares both."""
    ahead = timezone.now().replace(microsecond=0) + datetime.timedelta(hours=2)
    Mailbox.objects.filter(pk=BOB).update(created=ahead)
    create(enter(BOB))
    assert AppPasswordLimits.objects.get().created == ahead


def test_the_worker_revokes_those_of_a_mailbox_that_was_created_again():
    create(enter(BOB))
    AppPassword.objects.create(mailbox_id=BOB, password_hash="{BLF-CRYPT}$2y$10$abc")
    purge_orphaned_app_passwords()
    assert AppPassword.objects.count() == 2
    later = timezone.now() + datetime.timedelta(seconds=2)
    Mailbox.objects.filter(pk=BOB).update(created=later)
    purge_orphaned_app_passwords()
    assert [row.is_generated for row in AppPassword.objects.all()] == [False]
