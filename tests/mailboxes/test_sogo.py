"""SOGo signs mailbox owners in by its view, configured as docs/webmail.md says."""

import datetime
import itertools
import re

import pytest
from django.utils import timezone

from domains.models import Domain
from domains.services.domains import set_domains
from mailadmin import passwords
from mailadmin.conf import BASE_DIR
from mailboxes.models import DomainMailLogin, Mailbox, MailboxMailLogin
from mailboxes.services.mailboxes import set_mailboxes
from tests import mailservers, releases
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import create_mailboxes_of, perform_service
from tests.mailboxes.transfer.legacy_views.queries import grants, run
from tests.sogo import Sogo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    mailservers.needs_root,
    pytest.mark.skipif(
        releases.tested() != releases.own(), reason="SOGo is run of this machine's release"
    ),
]
PEOPLE = (("bob", "example.org"), ("ann", "example.org"), ("carol", "example.com"))
NUMBERS = itertools.count()
SCHEMES = (
    *("BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "MD5-CRYPT", "DES-CRYPT", "CRYPT"),
    *("ARGON2ID", "ARGON2I", "SHA", "SHA256", "SHA512", "SSHA", "SSHA256", "SSHA512", "SMD5"),
    *("PLAIN-MD5", "LDAP-MD5", "CRAM-MD5", "PLAIN", "CLEARTEXT"),
)
VIEW_URL = "mysql://sogo:password@127.0.0.1:3306/postfix/sogo_users"
ACCOUNT = "sogo_test"


def read_sources():
    page = (BASE_DIR / "docs/webmail.md").read_text()
    return re.search(r"SOGoUserSources = (\(.*?\n\));", page, re.S)[1]


@pytest.fixture(scope="module")
def sogo(django_db_setup, django_db_blocker, mariadb):
    """SOGo on the views in its own database, by an account with the printed grants."""
    with django_db_blocker.unblock():
        mariadb.create(ACCOUNT)
        mariadb.execute(
            f"CREATE OR REPLACE USER '{ACCOUNT}'@'%' IDENTIFIED BY 'reader';"
            f"GRANT ALL ON `{ACCOUNT}`.* TO '{ACCOUNT}'@'%'; CREATE DATABASE `{ACCOUNT}_views`"
        )
        said = run("sogo", "--database", f"{ACCOUNT}_views", "--sogo-account", f"{ACCOUNT}@%")
        mariadb.execute("\n".join(grants(said)))
        place = f"mysql://{ACCOUNT}:reader@127.0.0.1:{mariadb.port}"
        sources = read_sources()
        assert VIEW_URL in sources
        sources = sources.replace(VIEW_URL, f"{place}/{ACCOUNT}_views/sogo_users")
        with Sogo(f"{place}/{ACCOUNT}", sources) as server:
            yield server
        mariadb.execute(
            f"DROP DATABASE `{ACCOUNT}`; DROP DATABASE `{ACCOUNT}_views`;DROP USER '{ACCOUNT}'@'%'"
        )


@pytest.fixture
def people(sogo, transactional_db):
    """Make mailboxes with names that SOGo, which remembers people for minutes, has not seen."""
    number = next(NUMBERS)
    addresses = [f"{name}{number}@{domain}" for name, domain in PEOPLE]
    create_mailboxes_of(*addresses)
    return addresses


def test_the_password_of_the_mailbox_signs_in_and_no_other(sogo, people):
    bob, ann, _carol = people
    assert sogo.connect(bob, "wrong") == 403
    assert sogo.connect(bob, PASSWORD) == 200
    assert ann in sogo.get(f"so/{bob}/usersSearch?search=ann")
    for name in ("nobody@example.org", bob.partition("@")[0], "%", "' OR 1=1 -- "):
        assert sogo.connect(name, PASSWORD) == 403, name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_that_sogo_verifies(sogo, people, scheme):
    for address, password in zip(people, (PASSWORD, "wrong", ""), strict=True):
        stored = passwords.make_hash(PASSWORD, address, scheme)
        Mailbox.objects.filter(pk=address).update(password=stored)
        assert sogo.connect(address, password) == (200 if password == PASSWORD else 403), stored


@pytest.mark.parametrize("stored", ["secret", "{}secret", "", "!", "{CRYPT}!", "{PBKDF2}x"])
def test_what_is_stored_is_no_password(sogo, people, stored):
    """SOGo compares a value without a scheme as it is."""
    Mailbox.objects.update(password=stored)
    typed = ("secret", stored, "{CRYPT}*")
    assert [sogo.connect(*pair) for pair in zip(people, typed, strict=True)] == [403] * 3


def test_inactive_mailboxes_and_domains_are_refused(sogo, people):
    bob, _ann, _carol = people
    perform_service(set_mailboxes, [bob], "active", False)
    perform_service(set_domains, ["example.com"], "active", False)
    assert [sogo.connect(address, PASSWORD) for address in people] == [403, 200, 403]


def test_an_expired_password_is_refused(sogo, people):
    bob, ann, _carol = people
    Domain.objects.filter(pk="example.org").update(password_expiry=30)
    for address, days in ((bob, -1), (ann, 1)):
        moment = timezone.now() + datetime.timedelta(days=days)
        Mailbox.objects.filter(pk=address).update(password_expiry=moment)
    assert (sogo.connect(bob, PASSWORD), sogo.connect(ann, PASSWORD)) == (403, 200)


def test_where_mail_programs_need_app_passwords_it_is_refused(sogo, people):
    _bob, ann, carol = people
    DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
    MailboxMailLogin.objects.create(mailbox_id=ann, app_passwords_only=False)
    MailboxMailLogin.objects.create(mailbox_id=carol, app_passwords_only=True)
    assert [sogo.connect(address, PASSWORD) for address in people] == [403, 200, 403]


def test_people_of_other_domains_are_not_in_the_address_book(sogo, people):
    bob, ann, carol = people
    assert sogo.connect(bob, PASSWORD) == 200
    found = sogo.get(f"so/{bob}/Contacts/allContactSearch?search=example")
    assert ann in found
    assert carol not in found
