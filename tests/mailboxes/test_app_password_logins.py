"""App passwords on the real servers: what a password opens, and what it does not."""

import contextlib
import datetime
import imaplib
import poplib
import smtplib
import time

import pytest
from django.db import transaction
from django.utils import timezone

from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import (
    AppPassword,
    AppPasswordLimits,
    AppPasswordSalt,
    DomainMailLogin,
    LastLogin,
    Mailbox,
    MailboxMailLogin,
)
from mailboxes.services.app_password_hashes import get_salt, hash_app_password
from mailboxes.services.app_passwords import (
    create_app_password,
    edit_app_password_limits,
    generate_app_password,
    revoke_app_passwords,
)
from mailboxes.services.mailboxes import set_mailboxes
from tests import mailservers
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import create_mailboxes_of
from tests.mailboxes.managesieve import ManageSieve
from tests.mailservers import MailServer

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB = "bob@example.org"
ALL = {"imap", "pop3", "smtp", "sieve"}


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    with (
        django_db_blocker.unblock(),
        MailServer(sieve=True, postfixadmin_app_passwords=3) as server,
    ):
        mailservers.open_database(server, request)
        server.salt = get_salt()
        yield server.run()


@pytest.fixture
def server(running, transactional_db):
    """The servers with two mailboxes, and the salt that is in the configuration."""
    AppPasswordSalt.objects.update_or_create(pk=1, defaults={"salt": running.salt})
    create_mailboxes_of(BOB, "carol@example.com")
    return running


def create(key=BOB, name="Phone", **limits):
    """Create an app password as the console does; return it with its row."""
    text = generate_app_password()
    return text, perform(Actor.console(), create_app_password, key, name, limits, text)


def create_in_postfixadmin(text, key=BOB, scheme="BLF-CRYPT"):
    hashed = passwords.make_hash(text, key, scheme)
    return AppPassword.objects.create(mailbox_id=key, description=text, password_hash=hashed)


def opened(server, password, name=BOB):
    """Return the protocols by which this password signs in."""
    attempts = {"imap": open_imap, "pop3": open_pop3, "smtp": open_smtp, "sieve": open_sieve}
    return {protocol for protocol, attempt in attempts.items() if attempt(server, name, password)}


def open_imap(server, name, password):
    with server.dovecot.imap() as client:
        try:
            client.login(name, password)
        except imaplib.IMAP4.error:
            return False
        return True


def open_pop3(server, name, password):
    with contextlib.closing(server.dovecot.pop()) as client:
        try:
            client.user(name)
            client.pass_(password)
        except poplib.error_proto:
            return False
        return True


def open_smtp(server, name, password):
    with server.submission() as client:
        try:
            client.login(name, password)
        except smtplib.SMTPAuthenticationError:
            return False
        return True


def open_sieve(server, name, password):
    with ManageSieve(server.ports["sieve"]) as client:
        client.start_tls()
        return client.sign_in(name, password).startswith("OK")


def test_an_app_password_opens_every_protocol_of_its_own_mailbox(server):
    text, _row = create()
    assert opened(server, text) == opened(server, PASSWORD) == ALL
    assert opened(server, text, "carol@example.com") == set()
    assert opened(server, text[:-1]) == opened(server, "") == set()
    assert opened(server, hash_app_password(text)) == set()


@pytest.mark.parametrize("protocol", sorted(ALL))
def test_an_app_password_of_one_protocol_opens_no_other(server, protocol):
    text, _row = create(**(dict.fromkeys(ALL, False) | {protocol: True}))
    assert opened(server, text) == {protocol}


def test_an_app_password_is_refused_from_other_networks(server):
    near, _row = create(name="Near", networks="192.0.2.0/24,127.0.0.0/8")
    far, _row = create(name="Far", networks="192.0.2.0/24,2001:db8::/32")
    assert opened(server, near) == ALL
    assert opened(server, far) == set()


def test_an_app_password_ends_on_its_date(server):
    now, hour = timezone.now(), datetime.timedelta(hours=1)
    text, row = create(expires=now + hour)
    assert opened(server, text) == ALL
    perform(Actor.console(), edit_app_password_limits, row.pk, {"expires": now - hour})
    assert opened(server, text) == set()


def test_a_revoked_app_password_is_refused_at_once(server):
    (text, row), (other, _other_row) = create(), create(name="Tablet")
    assert opened(server, text) == ALL
    perform(Actor.console(), revoke_app_passwords, [row.pk])
    assert opened(server, text) == set()
    assert opened(server, other) == ALL


def test_postfixadmin_revokes_an_app_password_by_deleting_its_row_alone(server):
    text, row = create()
    AppPassword.objects.filter(pk=row.pk)._raw_delete("default")
    assert AppPasswordLimits.objects.filter(pk=row.pk).exists()
    assert opened(server, text) == set()


def test_the_app_password_of_an_earlier_mailbox_does_not_open_the_next_one(server):
    """PostfixAdmin deletes a mailbox, leaves its app passwords, and makes the mailbox again."""
    text, _row = create()
    Mailbox.objects.filter(pk=BOB).update(created=timezone.now() + datetime.timedelta(seconds=5))
    assert opened(server, text) == set()
    assert opened(server, PASSWORD) == ALL


def test_an_app_password_without_its_limits_is_refused(server):
    text, row = create()
    AppPasswordLimits.objects.filter(pk=row.pk).delete()
    assert opened(server, text) == set()


def test_app_passwords_of_an_inactive_mailbox_are_refused(server):
    text, _row = create()
    create_in_postfixadmin("typed-12345")
    perform(Actor.console(), set_mailboxes, [BOB], "active", False)
    assert opened(server, text) == opened(server, "typed-12345") == set()


def test_app_passwords_send_nothing_where_the_mailbox_may_not(server):
    text, _row = create()
    create_in_postfixadmin("typed-12345")
    perform(Actor.console(), set_mailboxes, [BOB], "smtp_active", False)
    assert opened(server, text) == opened(server, "typed-12345") == ALL - {"smtp"}


def test_app_passwords_go_on_when_the_main_password_has_expired(server):
    text, _row = create()
    Mailbox.objects.filter(pk=BOB).update(password_expiry=datetime.datetime(2024, 5, 1))
    Mailbox.objects.get(pk=BOB).domain.__class__.objects.filter(pk="example.org").update(
        password_expiry=30
    )
    assert opened(server, PASSWORD) == set()
    assert opened(server, text) == ALL


def test_app_passwords_made_in_postfixadmin_open_the_mailbox(server):
    words = ["first-12345", "second-12345", "third-12345", "fourth-12345"]
    for text, scheme in zip(
        words, ("BLF-CRYPT", "SHA512-CRYPT", "ARGON2ID", "BLF-CRYPT"), strict=True
    ):
        create_in_postfixadmin(text, scheme=scheme)
    create()
    found = [opened(server, text) for text in words]
    assert found == [ALL, ALL, ALL, set()]  # the configuration has three
    assert opened(server, words[0], "carol@example.com") == opened(server, "wrong") == set()


@pytest.mark.parametrize(
    ("of_domain", "of_mailbox", "is_open"),
    [
        (False, None, True),
        (True, None, False),
        (True, False, True),
        (False, True, False),
        (None, True, False),
        (None, False, True),
    ],
)
def test_the_main_password_may_be_for_the_panel_only(server, of_domain, of_mailbox, is_open):
    if of_domain is not None:
        DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=of_domain)
    if of_mailbox is not None:
        MailboxMailLogin.objects.create(mailbox_id=BOB, app_passwords_only=of_mailbox)
    text, _row = create()
    create_in_postfixadmin("typed-12345")
    assert opened(server, PASSWORD) == (ALL if is_open else set())
    assert opened(server, text) == opened(server, "typed-12345") == ALL
    assert opened(server, PASSWORD, "carol@example.com") == ALL


def last_logins(server):
    """Return protocol → id of the app password, or 0, of the last sign-ins of bob."""
    rows = LastLogin.objects.filter(mailbox=BOB).order_by("at", "app_password")
    assert {row.address for row in rows} <= {"127.0.0.1"}
    return {(row.protocol, row.app_password) for row in rows}


def test_dovecot_records_the_last_sign_in_of_each_protocol_and_password(server):
    text, row = create()
    assert opened(server, PASSWORD) == opened(server, text) == ALL
    assert opened(server, "wrong") == set()
    expected = {(name, number) for name in ALL - {"smtp"} for number in (0, row.pk)}
    server.wait_until(lambda: last_logins(server) == expected)
    moments = set(LastLogin.objects.values_list("at", flat=True))
    assert all(abs(time.time() - moment) < 60 for moment in moments)
    LastLogin.objects.update(at=5)
    assert opened(server, text) == ALL
    server.wait_until(
        lambda: (
            set(LastLogin.objects.filter(at__gt=5).values_list("app_password", flat=True))
            == {row.pk}
        )
    )


def test_a_sign_in_does_not_wait_for_its_record(server):
    """Another writer holds the rows: the lock of the file in SQLite, their keys in MariaDB."""
    with transaction.atomic():
        for protocol in ("imap", "pop3", "sieve", "managesieve"):
            LastLogin.objects.create(
                mailbox_id=BOB, protocol=protocol, address="127.0.0.1", at=int(time.time())
            )
        assert opened(server, PASSWORD) == ALL
