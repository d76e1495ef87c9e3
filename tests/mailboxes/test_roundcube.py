"""Roundcube's password plugin, configured as docs/webmail.md says."""

import re
from dataclasses import replace

import pytest
from django.db import connection

from mailadmin.changes.models import Log
from mailadmin.conf import BASE_DIR
from mailboxes.models import Mailbox
from tests import mailservers
from tests.base import PASSWORD
from tests.mailboxes.delivery.sending import create_mailboxes_of
from tests.mailservers import MailServer
from tests.roundcube import Roundcube

pytestmark = [pytest.mark.mailserver, mailservers.needs_root]
BOB = "bob@example.org"
NEW = "other-horse-4711"
SAVED = [("Successfully saved.", "confirmation")]
NOT_SAVED = [("Could not save new password.", "error")]


def read_page(driver):
    """Return the documented configuration with this driver."""
    page = (BASE_DIR / "docs/webmail.md").read_text()
    (found,) = (
        text
        for text in re.findall(r"```php\n(.*?)```", page, re.S)
        if f"'password_driver'] = '{driver}'" in text
    )
    return found


DSN = "mysql://roundcube_password:password@127.0.0.1:3306/postfix"


def read_statements():
    """Return the documented statements for the account of the driver `sql`."""
    page = (BASE_DIR / "docs/webmail.md").read_text()
    return re.search(r"```sql\n(CREATE USER 'roundcube_password'.*?)```", page, re.S)[1]


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    with django_db_blocker.unblock(), MailServer() as server:
        mailservers.open_database(server, request)
        server.dovecot.run()
        yield server


@pytest.fixture
def imaps(running, transactional_db):
    create_mailboxes_of(BOB)
    return running.ports["imaps"]


@pytest.fixture
def roundcube(imaps, live_server):
    config = read_page("httpapi")
    url = "https://mail.example.org/webmail/password/"
    assert url in config
    with Roundcube(imaps, config.replace(url, f"{live_server.url}/webmail/password/")) as server:
        yield server


def test_a_password_is_changed_on_roundcubes_page(roundcube):
    assert not roundcube.sign_in(BOB, "wrong")
    assert roundcube.sign_in(BOB, PASSWORD)
    assert roundcube.change_password(PASSWORD, NEW) == SAVED, roundcube.read_errors()
    assert Mailbox.objects.get(pk=BOB).check_password(NEW)
    assert Log.objects.filter(action="edit_password", data=BOB).count() == 1
    assert roundcube.change_password(NEW, PASSWORD) == SAVED  # its session continues


def test_what_the_panel_refuses_is_not_saved_and_roundcubes_log_says_why(roundcube):
    assert roundcube.sign_in(BOB, PASSWORD)
    assert roundcube.change_password(PASSWORD, "bob-example") == NOT_SAVED
    assert "Unexpected response code 422: Use at least 2 digits" in roundcube.read_errors()
    Mailbox.objects.filter(pk=BOB).update(totp_secret="JBSWY3DPEHPK3PXP")
    assert roundcube.change_password(PASSWORD, NEW) == NOT_SAVED
    assert "can only be changed in the panel" in roundcube.read_errors()
    assert Mailbox.objects.get(pk=BOB).check_password(PASSWORD)


def test_without_the_setting_nothing_is_changed(roundcube, settings):
    settings.MAILADMIN_PASSWORD_API = False
    assert roundcube.sign_in(BOB, PASSWORD)
    ((text, kind),) = roundcube.change_password(PASSWORD, NEW)
    assert (text.split(".")[0], kind) == ("Could not save new password", "error")
    assert Mailbox.objects.get(pk=BOB).check_password(PASSWORD)


@pytest.fixture
def roundcube_with_sql(imaps, mariadb):
    """Roundcube whose account has the documented rights."""
    name = connection.settings_dict["NAME"]
    statements = read_statements().replace("'localhost'", "'%'")
    assert " ON postfix.mailbox TO " in statements and DSN in read_page("sql")
    mariadb.execute(statements.replace("postfix.mailbox", f"{name}.mailbox"))
    dsn = DSN.replace(":3306/postfix", f":{mariadb.port}/{name}")
    with Roundcube(imaps, read_page("sql").replace(DSN, dsn)) as server:
        yield server
    mariadb.execute("DROP USER 'roundcube_password'@'%'")


@pytest.mark.mariadb
def test_the_documented_query_changes_one_password_alone(roundcube_with_sql, mariadb):
    create_mailboxes_of("carol@example.com")
    assert roundcube_with_sql.sign_in(BOB, PASSWORD)
    assert roundcube_with_sql.change_password(PASSWORD, NEW) == SAVED
    assert Mailbox.objects.get(pk=BOB).check_password(NEW)
    assert Mailbox.objects.get(pk="carol@example.com").check_password(PASSWORD)
    assert not Log.objects.filter(action="edit_password").exists()  # as the page says
    client = replace(mariadb, user="roundcube_password", password="password")
    for sql in ("SELECT password FROM mailbox", "UPDATE mailbox SET quota = 1"):
        assert "denied" in client.run(sql, connection.settings_dict["NAME"]).stderr, sql
