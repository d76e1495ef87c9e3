"""Configurations with one fault each, which verify, check or both report."""

import contextlib
import io
import json
import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import call_command
from django.db import connection

from domains.models import Domain, Transport
from mailadmin import passwords
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from tests import mailservers
from tests.base import PASSWORD, build_world
from tests.mailboxes.test_verify_command import (
    SQLITE_NOW,
    WITH_WILDCARDS,
    altered,
    make,
    reload_dovecot,
    reload_postfix,
    varied_world,
    verify,
    write_aged,
)

pytestmark = [pytest.mark.slow, pytest.mark.mailserver, mailservers.needs_root]


@pytest.fixture(scope="module")
def transactional_db(django_db_setup, django_db_blocker):
    """The database, emptied once after all breaks and not after each."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)


@pytest.fixture(scope="module")
def server(transactional_db, request):
    """Both servers and rows of every kind, the same for all breaks."""
    with mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        build_world()
        varied_world()
        row = {"local_part": "quiet", "domain": Domain.objects.get(pk="example.org")}
        make(create_mailboxes, [row | {"password": passwords.make_hash(PASSWORD), "quota": 5}])
        make(set_mailboxes, ["quiet@example.org"], "smtp_active", False)
        Vacation.objects.create(
            pk="bob@example.org", domain_id="example.org", subject="x", body="x"
        )
        yield server.run()


# Ways to break


def edited(name, old, new):
    return lambda server: altered(server.folder / name, old, new)


def own_map(name, old, new):
    return edited(f"etc/mailadmin/{name}.cf", old, new)


def unlisted(*names):
    """Remove these maps from main.cf."""

    @contextlib.contextmanager
    def broken(server):
        with contextlib.ExitStack() as stack:
            for name in names:
                place = f"{server.choices.map_type}:$config_directory/mailadmin/{name}.cf"
                line = next(
                    line
                    for line in (server.config / "main.cf").read_text().splitlines()
                    if line.endswith(place)
                )
                left = line.removesuffix(place).rstrip().removesuffix("check_recipient_access")
                stack.enter_context(altered(server.config / "main.cf", line, left or "#"))
            yield

    return broken


@contextlib.contextmanager
def appended(path, text):
    before = path.read_text()
    write_aged(path, f"{before}\n{text}\n")
    try:
        yield
    finally:
        write_aged(path, before)


def main_cf(text):
    return lambda server: appended(server.config / "main.cf", text)


def dovecot(text):
    return lambda server: appended(server.folder / "dovecot/dovecot.conf", text)


def in_front(parameter, entry):
    """Insert an entry at the start of a list in main.cf."""

    @contextlib.contextmanager
    def broken(server):
        path = server.config / "main.cf"
        lines = path.read_text().splitlines()
        start = next(n for n, line in enumerate(lines) if line.startswith(f"{parameter} ="))
        old = lines[start]
        new = old.replace(f"{parameter} =", f"{parameter} = {entry}")
        with altered(path, f"{old}\n", f"{new}\n"):
            yield

    return broken


def query(name, old, new):
    """Change a query of Dovecot."""

    @contextlib.contextmanager
    def broken(server):
        path, line = server.dovecot.queries_file, server.dovecot.query_lines()[name]
        is_sqlite = connection.vendor == "sqlite"
        wanted = old.replace("NOW()", SQLITE_NOW) if is_sqlite else old
        assert wanted in line
        with altered(path, line, line.replace(wanted, new)):
            yield

    return broken


def queries_edited(old, new):
    return lambda server: altered(server.dovecot.queries_file, old, new)


def by_version(older, newer):
    """Apply the edit for Dovecot 2.3 or that for 2.4, by the server's version."""
    return lambda server: (newer if server.dovecot.is_modern else older)(server)


@contextlib.contextmanager
def of_root_alone(server):
    """Make a file readable by root alone, which ignores proxymap."""
    path = server.config / "mailadmin/virtual_alias.cf"
    before = path.stat()
    os.chown(path, 0, 0)
    yield
    os.chown(path, before.st_uid, before.st_gid)


@contextlib.contextmanager
def wrong_account(server):
    path = server.config / "mailadmin/virtual_alias.cf"
    if connection.vendor == "mysql":
        with altered(path, "password = testpostfix", "password = s3cret"):
            yield
    else:
        with altered(path, "dbpath = ", "dbpath = /nowhere"):
            yield


@contextlib.contextmanager
def another_database(server):
    """Use another database, with empty tables."""
    path = server.config / "mailadmin/virtual_mailbox.cf"
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        copied = Path(name).with_name("former.sqlite3")
        with sqlite3.connect(name) as ours, sqlite3.connect(copied) as theirs:
            ours.backup(theirs)
            theirs.execute("DELETE FROM mailbox")
        copied.chmod(0o666)
        with altered(path, name, str(copied)):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE former")
        for table in ("mailbox", "domain"):
            cursor.execute(f"CREATE TABLE former.{table} LIKE {name}.{table}")
        for host in ("localhost", "127.0.0.1"):
            cursor.execute(f"GRANT SELECT ON former.* TO mailadmin_postfix@'{host}'")
        with altered(path, f"dbname = {name}\n", "dbname = former\n"):
            yield
        cursor.execute("DROP DATABASE former")


@contextlib.contextmanager
def unknown_service(server):
    """Add a row of another program."""
    Transport.objects.create(pattern="strange.test", transport="nosuch:")
    yield
    Transport.objects.filter(pk="strange.test").delete()


@contextlib.contextmanager
def bare_domain(server):
    """Add a row that makes the domain one of aliases if virtual_alias_domains has its default."""
    Alias.objects.create(address="example.com", goto="bob@example.org", domain_id="example.org")
    with altered(server.config / "main.cf", "virtual_alias_domains =\n", "\n"):
        yield
    Alias.objects.filter(pk="example.com").delete()


# Expected findings


class Break(NamedTuple):
    name: str
    edits: tuple
    said: tuple = ()  # (key, lookup) of a difference of verify
    failed: str = ""  # a server that verify names as one that could not be asked
    code: str = ""  # code of a finding of check


NOPASSWORD = "passdb {\n  driver = static\n  args = nopassword=y\n}"
NEW_NOPASSWORD = "passdb static {\n  fields {\n    nopassword = yes\n  }\n}"
RIGHT, WRONG = "sign-in with the correct password", "sign-in with a wrong password"
SENDERS = "smtpd_sender_login_maps"
BREAKS = (
    Break(
        "aliases that are not active",
        (own_map("virtual_alias", "alias.active = 1", "alias.active < 2"),),
        (("off-too@example.org", "virtual_alias_maps"),),
    ),
    Break(
        "mailboxes of another database",
        (another_database,),
        (("bob@example.org", "virtual_mailbox_maps"),),
    ),
    Break("no transport table", (unlisted("transport_pattern"),), (("*", "transport_maps"),)),
    Break(
        "no sender map",
        (main_cf(f"{SENDERS} ="),),
        (("bob@example.org", SENDERS),),
        code="sender-login-maps-not-set",
    ),
    Break(
        "backup domains are virtual too",
        (own_map("virtual_mailbox_domains", "domain.backupmx = 0", "domain.backupmx < 2"),),
        (("backup.test", "virtual_mailbox_domains"),),
    ),
    Break(
        "Dovecot admits inactive mailboxes",
        (query("password", "mailbox.active = 1", "mailbox.active >= 0"),),
        (("off@example.org", "sign-in"),),
    ),
    Break(
        "home by user name",
        (query("user", "mailbox.maildir", "mailbox.username"),),
        (("bob@example.org", "Dovecot"),),
    ),
    Break(
        "no refusal maps",
        (unlisted("refused_recipients", "refused_recipients_mirror"),),
        (
            ("off@example.org", "smtpd_recipient_restrictions"),
            ("main.cf", "smtpd_recipient_restrictions"),
        ),
    ),
    Break(
        "no map of the mailboxes themselves",
        (unlisted("virtual_alias_mailbox"),),
        (("no-row@example.org", "virtual_alias_maps"),),
    ),
    Break("wrong password of the database", (wrong_account,), failed="Postfix"),
    Break("Dovecot's SQL is broken", (query("user", " FROM ", " FORM "),), failed="Dovecot"),
    Break(
        "no maps of alias domains",
        (unlisted("virtual_alias_mirror", "virtual_alias_mirror_mailbox"),),
        (("a_b%c@mirror.test", "virtual_alias_maps"), ("@mirror.test", "RCPT TO")),
    ),
    Break("a map that only root can read", (of_root_alone,), failed="Postfix"),
    Break(
        "every password signs in",
        (
            query(
                "password",
                "mailbox.username AS user",
                "mailbox.username AS user, 'Y' AS nopassword",
            ),
        ),
        (("@example.org", WRONG),),
    ),
    Break(
        "another hash",
        (query("password", "ELSE mailbox.password END", "ELSE '{PLAIN}other' END"),),
        (("BLF-CRYPT", RIGHT),),
    ),
    Break(
        "another store with the same tail",
        (query("user", "'/tmp/", "'/srv/other/tmp/"),),
        (("bob@example.org", "Dovecot"),),
    ),
    Break(
        "no quota",
        (
            by_version(
                query("user", "quota_rule", "other_rule"),
                query("user", "quota_storage_size", "other_size"),
            ),
        ),
        (("bob@example.org", "Dovecot: quota"),),
    ),
    Break(
        "Postfix delivers by itself",
        (main_cf("virtual_transport = virtual"),),
        (("main.cf", "virtual_transport"),),
        code="parameter-not-set",
    ),
    # More breaks
    Break(
        "virtual domains are relayed too",
        (own_map("relay_domains", "domain.backupmx = 1", "domain.backupmx < 2"),),
        (("example.org", "relay_domains"),),
    ),
    Break(
        "no recipients of backup domains",
        (main_cf("relay_recipient_maps ="),),
        (("bob@listed.test", "relay_recipient_maps"),),
    ),
    Break(
        "no mailboxes",
        (main_cf("virtual_mailbox_maps ="),),
        (("bob@example.org", "virtual_mailbox_maps"),),
        code="parameter-not-set",
    ),
    Break(
        "a map that proxymap does not approve",
        (main_cf("proxy_read_maps = $virtual_mailbox_maps"),),
        failed="Postfix",
        code="map-not-in-proxy-read-maps",
    ),
    Break(
        "a domain of the panel is local",
        (main_cf("mydestination = localhost, example.org"),),
        (("example.org", "mydestination"),),
        code="virtual-domain-in-mydestination",
    ),
    Break(
        "unknown recipients are accepted",
        (main_cf("smtpd_reject_unlisted_recipient = no"),),
        (("@away.test", "RCPT TO"),),
    ),
    Break(
        "refusals are temporary",
        (main_cf("soft_bounce = yes"),),
        (("@example.org", "RCPT TO"),),
    ),
    Break(
        "open relay",
        (
            # An open relay that Postfix does not notice; where nothing refuses, it does not start.
            in_front("smtpd_relay_restrictions", "check_client_access static:OK,"),
        ),
        (("main.cf", "smtpd_relay_restrictions"), ("master.cf: ", "smtpd_relay_restrictions")),
    ),
    Break(
        "everybody is let past the refusals",
        (in_front("smtpd_recipient_restrictions", "permit,"),),
        (("main.cf", "smtpd_recipient_restrictions"),),
    ),
    Break(
        "the whole Internet may relay",
        (main_cf("mynetworks = 0.0.0.0/0"),),
        (("main.cf", "mynetworks"),),
    ),
    Break(
        "senders are not checked",
        (
            edited(
                "etc/master.cf",
                "    -o smtpd_sender_restrictions=reject_sender_login_mismatch\n",
                "",
            ),
        ),
        (("master.cf: ", "smtpd_sender_restrictions"),),
        code="sender-not-checked",
    ),
    Break(
        "no vacation responder",
        (edited("etc/master.cf", "mailadmin-autoreply unix", "other-autoreply unix"),),
        (("autoreply.localhost", "transport_maps"),),
        code="unknown-transport-service",
    ),
    Break(
        "no transport for answers",
        (
            edited(
                "etc/main.cf", "    inline:{ { autoreply.localhost = mailadmin-autoreply: } }\n", ""
            ),
        ),
        (("autoreply.localhost", "transport_maps"),),
    ),
    Break(
        "no LMTP server",
        (main_cf("virtual_transport = lmtp:unix:private/nothing"),),
        (("bob@example.org", "LMTP"),),
    ),
    Break(
        "a delivery service that is not there",
        (main_cf("virtual_transport = dovecot"),),
        (("main.cf", "virtual_transport"),),
        code="unknown-transport-service",
    ),
    Break(
        "another delimiter",
        (main_cf("recipient_delimiter = -"),),
        (("main.cf", "recipient_delimiter"),),
    ),
    Break(
        "answers are rewritten",
        (own_map("virtual_alias", "query =", "result_format = x-%s\nquery ="),),
        (("info@example.org", "virtual_alias_maps"),),
    ),
    Break(
        "a map for some domains",
        (own_map("virtual_mailbox", "query =", "domain = example.com\nquery ="),),
        (("bob@example.org", "virtual_mailbox_maps"),),
    ),
    Break(
        "a catch-all in a map in front",
        (in_front("virtual_alias_maps", "inline:{ {@example.com=root@example.net} }"),),
        (("@example.com", "virtual_alias_maps"),),
    ),
    Break(
        "a transport for everything in front",
        (in_front("transport_maps", "inline:{ {*=smtp:[127.0.0.1]:9} }"),),
        (("*", "transport_maps"),),
        code="star-transport-takes-all",
    ),
    Break(
        "those who may not send do",
        (query("password", "mailbox.smtp_active = 1", "mailbox.smtp_active >= 0"),),
        (("quiet@example.org", "sign-in to send"),),
    ),
    Break(
        "expired passwords sign in",
        (query("password", "NOW()", "'2000-01-01'"),),
        (("expired@old.test", "sign-in"),),
    ),
    Break(
        "a second table of users",
        (by_version(dovecot(NOPASSWORD), dovecot(NEW_NOPASSWORD)),),
        (("@example.org", WRONG),),
    ),
    Break(
        "the default scheme does not fit",
        (
            by_version(
                queries_edited("pass_scheme = CRYPT", "pass_scheme = PLAIN"),
                queries_edited("password_scheme = CRYPT", "password_scheme = PLAIN"),
            ),
        ),
        (("BLF-CRYPT", RIGHT),),
        code="scheme-does-not-fit",
    ),
    Break(
        "mail beside the home",
        (
            by_version(
                query("user", "'maildir:'", "'maildir:/srv'"),
                query("user", "AS mail_path", "AS other_path, '/srv' AS mail_path"),
            ),
        ),
        (("bob@example.org", "Dovecot: mail"),),
    ),
    Break(
        "quotas in kilobytes",
        (by_version(query("user", "'*:bytes='", "'*:storage='"), query("user", "'B'", "'k'")),),
        (("bob@example.org", "Dovecot: quota"),),
    ),
    Break(
        "clients are refused",
        (main_cf("smtpd_client_restrictions = reject"),),
        (("bob@example.org", "RCPT TO"),),
    ),
    Break(
        "Postfix asks nobody for passwords",
        (main_cf("smtpd_sasl_path = private/nothing"),),
        (("master.cf: ", "AUTH"),),
    ),
    Break(
        "an unknown service",
        (unknown_service,),
        (("strange.test", "master.cf"),),
        code="unknown-transport-service",
    ),
    Break(
        "inactive mailboxes of alias domains",
        (unlisted("refused_recipients_mirror"),),
        (("-a*b?c@mirror.test", "smtpd_recipient_restrictions"),),
    ),
    Break(
        "an alias row that is a domain",
        (bare_domain,),
        code="alias-row-is-a-domain",
    ),
)


@pytest.fixture
def apply(server):
    """Break the configuration for one test; both servers reload before and afterwards."""
    with contextlib.ExitStack() as stack:

        def broken(edits):
            for edit in edits:
                stack.enter_context(edit(server))
            reload_servers(server)

        yield broken
    reload_servers(server)


def reload_servers(server):
    reload_dovecot(server)
    reload_postfix(server)


def checked(server):
    out = io.StringIO()
    with contextlib.suppress(SystemExit):
        places = [f"--postfix={server.config}", f"--dovecot={server.folder}/dovecot"]
        call_command("mailserver", "check", *places, "--json", stdout=out)
    return json.loads(out.getvalue())["findings"]


def test_an_intact_configuration_has_no_findings(server):
    output, status = verify(server, "--json")
    found = json.loads(output)
    assert (found["differences"], found["not_asked"], status) == ([], [WITH_WILDCARDS], 0)
    assert {each["code"] for each in checked(server) if each["severity"] == "error"} == set()
    assert not Mailbox.objects.filter(pk__startswith="mailadminverify").exists()


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_each_break_is_reported(server, apply, broken):
    apply(broken.edits)
    if broken.said or broken.failed:
        needs_accounts = {RIGHT, "AUTH"} & {asked for _key, asked in broken.said}
        output, status = verify(server, "--json", *(() if needs_accounts else ("--no-accounts",)))
        found = json.loads(output)
        assert status == 1
        pairs = [(each["key"], each["asked"]) for each in found["differences"]]
        for key, asked in broken.said:
            assert any(key in each and asked == what for each, what in pairs), pairs
        assert any(line.startswith(f"{broken.failed}") for line in found["not_asked"])
    if broken.code:
        assert broken.code in {each["code"] for each in checked(server)}


def test_the_number_of_breaks():
    assert len(BREAKS) == len({broken.name for broken in BREAKS}) >= 38
