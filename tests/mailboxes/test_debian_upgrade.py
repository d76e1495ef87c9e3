"""Upgrade of a mail server from Debian 12 to 13: no mail, flags or passwords are lost.

Postfix, Dovecot and MariaDB of both releases work one after the other on the same folders: the
database, the mail, the queue and the configuration.
"""

import re
import smtplib

import pytest

from tests import mail_receivers, mailservers, postfix_server, releases
from tests.base import PASSWORD
from tests.mailboxes.generated_files import by_command, panel, receive
from tests.programs import RELEASES
from tests.servers import MariaDB

pytestmark = [
    pytest.mark.mariadb,
    pytest.mark.mailserver,
    mailservers.needs_root,
    pytest.mark.skipif(
        releases.tested() != releases.own(),
        reason="it starts both releases itself: once is enough",
    ),
]

OLD, NEW = "12", "13"
MAKE = """
import django; django.setup()
from domains.models import Domain
from mailboxes.services.domains import create_domains
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.mailboxes import create_mailboxes
PASSWORD = "{password}"
far = {{"backupmx": True, "transport": "{far}"}}
for name, values in (("example.org", {{}}), ("far.test", far)):
    row = values | {{"domain": name, "default_aliases": False}}
    perform(Actor.console(), create_domains, [row])
domain = Domain.objects.get(pk="example.org")
for name, scheme in (("bob", "BLF-CRYPT"), ("carol", "MD5-CRYPT"), ("dora", "SSHA")):
    stored = passwords.make_hash(PASSWORD, f"{{name}}@example.org", scheme)
    row = {{"local_part": name, "domain": domain, "password": stored, "quota": 10}}
    perform(Actor.console(), create_mailboxes, [row])
"""


def versions(release):
    """Options of `mailserver config` for the release."""
    known = RELEASES[release]
    return {"dovecot_version": known.dovecot, "postfix_version": known.postfix}


PEOPLE = ("bob@example.org", "carol@example.org", "dora@example.org")


@pytest.fixture(scope="module")
def sink():
    """Another server, which is not reached before the upgrade."""
    with mail_receivers.Sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def database():
    with MariaDB(OLD) as server:
        yield server


@pytest.fixture(scope="module")
def old(database, sink):
    """A mail server of Debian 12, with mail that has been read and sorted."""
    url = database.client.url()
    panel(url, "manage.py", "migrate")
    panel(url, "-c", MAKE.format(password=PASSWORD, far=f"smtp:[127.0.0.1]:{sink.port}"))
    with mailservers.MailServer(by_command(url), OLD, **versions(OLD)) as server:
        sql = (server.config / "mailadmin/accounts.sql").read_text()
        database.client.execute(sql)
        server.run()
        yield server


def use(server):
    """Deliver two messages, read one, and create a subscribed folder with a copy."""
    for _time in range(2):
        receive(server, "bob@example.org")
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        imap.select()
        imap.store("1", "+FLAGS", r"(\Seen \Flagged work)")
        imap.create("Projects.2026")
        imap.subscribe("Projects.2026")
        imap.copy("2", "Projects.2026")


def seen_by_imap(server):
    """Return all that IMAP stores about bob's mail: folders, UIDs, flags."""
    found = {}
    with server.dovecot.imap() as imap:
        imap.login("bob@example.org", PASSWORD)
        found["subscribed"] = sorted(imap.lsub()[1])
        for line in imap.list()[1]:
            name = line.decode().rpartition(" ")[2]
            status, (count,) = imap.select(name, readonly=True)
            if status == "OK" and int(count):
                fetched = imap.fetch("1:*", "(UID FLAGS RFC822.SIZE)")[1]
                # \Recent depends on the session and is not stored.
                fetched = [re.sub(rb"\\Recent ?", b"", line) for line in fetched]
                found[name] = imap.response("UIDVALIDITY")[1], fetched
    return found


def seen_by_pop3(server):
    pop = server.dovecot.pop()
    pop.user("bob@example.org")
    pop.pass_(PASSWORD)
    found = pop.uidl()[1]
    pop.quit()
    return found


def send_external(server):
    """Send a message that stays in the queue."""
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        client.rcpt("friend@far.test")
        _code, reply = client.data("Subject: Later\n\nLater.\n")
    queue_id = postfix_server.queue_id(reply)
    server.wait_until(lambda: "status=deferred" in "\n".join(server.lines_of(queue_id)))


def can_log_in(server, address):
    with server.submission() as client:
        try:
            return client.login(address, PASSWORD)[0] == 235
        except smtplib.SMTPAuthenticationError:
            return False


def messages(database):
    return database.client.execute(
        "SELECT messages FROM quota2 WHERE username = 'bob@example.org'", "mailadmin"
    )


def test_an_upgraded_server_continues_and_can_be_downgraded(old, database, sink):
    use(old)
    before = seen_by_imap(old), seen_by_pop3(old)
    assert messages(database) == ["3"]
    send_external(old)

    database.upgrade(NEW)
    url = database.client.url()
    assert "No migrations to apply" in panel(url, "manage.py", "migrate")
    new = old.upgrade(NEW, by_command(url), **versions(NEW))

    assert (seen_by_imap(new), seen_by_pop3(new)) == before
    assert all(can_log_in(new, address) for address in PEOPLE)
    receive(new, "bob@example.org")
    assert messages(database) == ["4"]
    sink.run()
    new.tool("postqueue", "-f")
    new.wait_until(lambda: sink.recipients() == ["friend@far.test"])

    seen = seen_by_imap(new), seen_by_pop3(new)
    back = new.upgrade(OLD, by_command(url), **versions(OLD))
    assert (seen_by_imap(back), seen_by_pop3(back)) == seen
