"""`mailserver verify`: sign-ins with app passwords."""

import pytest

from domains.models import Domain
from mailadmin.mails.models import OutgoingMail
from mailboxes.models import (
    AppPassword,
    AppPasswordSalt,
    DomainMailLogin,
    Mailbox,
    MailboxMailLogin,
)
from mailboxes.services.app_password_hashes import get_salt
from mailboxes.services.app_passwords import create_app_password
from tests import mailservers
from tests.base import build_world
from tests.mailboxes.verify.verifying import (
    changed_query,
    differences,
    make,
    reload_dovecot,
    verify,
)

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]
TRIED = "sign-in with an app password (8)"


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    with django_db_blocker.unblock(), mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        server.salt = get_salt()
        yield server.run()


@pytest.fixture
def server(running, transactional_db):
    """The servers, with the salt that is in the configuration, and an app password of bob's."""
    build_world()
    AppPasswordSalt.objects.update_or_create(pk=1, defaults={"salt": running.salt})
    make(create_app_password, "bob@example.org", "Phone", {}, "of-bob-4711")
    OutgoingMail.objects.all().delete()
    return running


def test_app_passwords_sign_in_by_their_protocols_alone(server):
    output, status = verify(server)
    assert (status, "0 differences" in output) == (0, True), output
    assert TRIED in output
    assert AppPassword.objects.get().description == "Phone"
    assert Mailbox.objects.count() == 2
    assert not OutgoingMail.objects.exists()


def test_none_is_tried_where_nobody_has_one(server):
    AppPassword.objects.get().limits.delete()
    output, status = verify(server)
    assert status == 0 and "app password" not in output


def test_no_accounts_means_no_app_passwords(server):
    output, status = verify(server, "--no-accounts")
    assert status == 0 and "app password" not in output


@pytest.mark.usefixtures("forgetful")
def test_a_protocol_that_is_not_limited_is_reported(server, changed):
    column, free = "THEN apppasswordlimits.pop3", "THEN 1"
    changed_query(server, changed, "password", column, free)
    reload_dovecot(server)
    assert ("app password for IMAP, ManageSieve", "sign-in by POP3") in differences(server)


@pytest.mark.usefixtures("forgetful")
def test_app_passwords_that_are_refused_are_reported(server, changed):
    """As with the salt of another installation, or after Dovecot's files were written by hand."""
    column, nothing = "apppassword.id IS NOT NULL", "1 = 0"
    changed_query(server, changed, "password", column, nothing)
    reload_dovecot(server)
    assert set(differences(server)) == {
        ("app password for IMAP, ManageSieve", "sign-in by IMAP"),
        ("app password for IMAP, ManageSieve", "sign-in by ManageSieve"),
        ("app password for POP3, SMTP", "sign-in by POP3"),
        ("app password for POP3, SMTP", "sign-in by SMTP"),
    }


def test_the_main_password_is_refused_where_programs_need_app_passwords(server):
    """Accounts are in such a domain only if all are."""
    DomainMailLogin.objects.create(domain_id="example.com", app_passwords_only=True)
    assert differences(server) == []
    DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
    assert Domain.objects.count() == 2
    output, status = verify(server)
    assert (status, "0 differences" in output, TRIED in output) == (0, True, True), output
    assert "Not checked: Dovecot: sign-in" not in output


def test_a_mailbox_may_be_excepted_from_the_rule_of_its_domain(server):
    DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
    MailboxMailLogin.objects.create(mailbox_id="bob@example.org", app_passwords_only=False)
    MailboxMailLogin.objects.create(mailbox_id="carol@example.com", app_passwords_only=True)
    assert differences(server) == []
