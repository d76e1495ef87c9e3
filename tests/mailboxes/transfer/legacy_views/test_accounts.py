"""Views by which SOGo and Nextcloud sign mailbox owners in: their rows, and who reads them."""

import datetime
import re
from dataclasses import replace

import pytest
from django.utils import timezone

from domains.models import Domain
from domains.services.domains import set_domains
from mailboxes.models import DomainMailLogin, Mailbox, MailboxMailLogin
from mailboxes.services.aliases import set_aliases
from mailboxes.services.mailboxes import set_mailboxes
from mailboxes.transfer.legacy_views.passwords import LOCKED, PHP_LOCKED
from tests.mailboxes.delivery.sending import alias, domain, mailbox, perform_service
from tests.mailboxes.transfer.legacy_views.queries import (
    BY_KEY,
    grants,
    rows_read,
    run,
    select,
    verbs,
    ways,
)

pytestmark = [pytest.mark.slow, pytest.mark.mariadb, pytest.mark.django_db(transaction=True)]
BOB = "bob@example.org"
HASHED = "$6$rounds=1000$salt$" + "x" * 20
TABLES = {
    "sogo": ("sogo_users", "c_uid", "c_password"),
    "nextcloud": ("nextcloud_users", "uid", "password"),
}
LOCKED_HASHES = {"sogo": LOCKED, "nextcloud": PHP_LOCKED}


@pytest.fixture
def rows(old):
    """Create an active mailbox and others that are not in use."""
    for name in ("example.org", "off.example"):
        domain(name)
    domain("backup.example", backupmx=True)
    Domain(domain="ALL").save(force_insert=True)
    mailbox(BOB, name="Bob B\xf6hm", quota=3)
    for address in ("eve@example.org", "dan@off.example", "ann@backup.example"):
        mailbox(address)
    Mailbox.objects.update(password=HASHED)
    perform_service(set_mailboxes, ["eve@example.org"], "active", False)
    perform_service(set_domains, ["off.example"], "active", False)
    for system in TABLES:
        run(system, "--database", old.name)
    return old


def read_passwords(database, system):
    """Return address → the password in the view of this system."""
    table, key, password = TABLES[system]
    return dict(select(database, f"{key}, {password}", table))


def test_sogo_reads_active_mailboxes_of_active_domains(rows):
    columns = "c_uid, c_name, c_password, c_cn, mail, domain, IFNULL(aliases, '')"
    assert select(rows, columns, "sogo_users") == [
        (BOB, BOB, f"{{CRYPT}}{HASHED}", "Bob B\xf6hm", BOB, "example.org", "")
    ]
    Mailbox.objects.update(name=" ")
    assert select(rows, "c_uid, c_cn", "sogo_users") == [(BOB, BOB)]


def test_nextcloud_reads_the_same_and_domains_as_groups(rows):
    columns = "uid, display_name, email, password, quota, active"
    assert select(rows, columns, "nextcloud_users") == [
        (BOB, "Bob B\xf6hm", BOB, HASHED, "3072000 B", "1")
    ]
    assert select(rows, "gid, 1", "nextcloud_groups") == [("example.org", "1")]
    assert select(rows, "uid, gid", "nextcloud_user_groups") == [(BOB, "example.org")]
    Mailbox.objects.update(quota=0)
    assert select(rows, "uid, quota", "nextcloud_users") == [(BOB, "none")]


def test_aliases_are_those_that_lead_to_this_mailbox_alone(rows):
    mailbox("ann@example.org")
    for address in ("info@example.org", "Sales@example.org", "old@example.org"):
        alias(address, BOB)
    alias("both@example.org", BOB, "ann@example.org")
    alias("*@example.org", BOB)
    perform_service(set_aliases, ["old@example.org"], "active", False)
    found = dict(select(rows, "c_uid, IFNULL(aliases, '')", "sogo_users"))
    assert found[BOB].lower() == "info@example.org sales@example.org"
    assert found["ann@example.org"] == ""


@pytest.mark.parametrize("system", TABLES)
def test_where_mail_programs_need_app_passwords_there_is_none(rows, system):
    assert LOCKED_HASHES[system] not in read_passwords(rows, system)[BOB]
    DomainMailLogin.objects.create(domain_id="example.org", app_passwords_only=True)
    assert read_passwords(rows, system) == {BOB: LOCKED_HASHES[system]}
    own = MailboxMailLogin.objects.create(mailbox_id=BOB, app_passwords_only=False)
    assert HASHED in read_passwords(rows, system)[BOB]
    DomainMailLogin.objects.all().delete()
    MailboxMailLogin.objects.filter(pk=own.pk).update(app_passwords_only=True)
    assert read_passwords(rows, system) == {BOB: LOCKED_HASHES[system]}


@pytest.mark.parametrize("system", TABLES)
def test_an_expired_password_is_none(rows, settings, system):
    Domain.objects.filter(pk="example.org").update(password_expiry=30)
    for days, is_usable in ((1, True), (-1, False)):
        moment = timezone.now() + datetime.timedelta(days=days)
        Mailbox.objects.update(password_expiry=moment)
        found = read_passwords(rows, system)[BOB]
        assert (HASHED in found) is is_usable, found
    settings.MAILADMIN_PASSWORD_EXPIRATION = False
    assert verbs(run(system, "--database", rows.name))[TABLES[system][0]] == "created again"
    assert HASHED in read_passwords(rows, system)[BOB]


SHA1, DES, MD5 = "fEqNCco3Yq9h5ZUglD3CZJT4lBs=", "WfrwLEkN93dMU", "e10adc3949ba59abbe56e057f20f883e"
# What is stored → what SOGo and Nextcloud read
STORED = {
    "$2y$05$Abc": ("{CRYPT}$2y$05$Abc", "$2y$05$Abc"),
    "{BLF-CRYPT}$2y$05$Abc": ("{CRYPT}$2y$05$Abc", "$2y$05$Abc"),
    "{SHA512-CRYPT}$6$Abc": ("{CRYPT}$6$Abc", "$6$Abc"),
    "{crypt}$1$Abc": ("{CRYPT}$1$Abc", "$1$Abc"),
    "$argon2id$v=19$Abc": ("{ARGON2ID}$argon2id$v=19$Abc", "$argon2id$v=19$Abc"),
    "{ARGON2I}$argon2i$v=19$Abc": ("{ARGON2I}$argon2i$v=19$Abc", "$argon2i$v=19$Abc"),
    DES: (f"{{CRYPT}}{DES}", DES),
    f"{{CRYPT}}{DES}": (f"{{CRYPT}}{DES}", DES),
    f"{{SHA}}{SHA1}": (f"{{SHA.B64}}{SHA1}", PHP_LOCKED),
    "{SSHA256}YWJj": ("{SSHA256}YWJj", PHP_LOCKED),
    "{PLAIN}a{b}$c": ("{PLAIN}a{b}$c", PHP_LOCKED),
    MD5: (f"{{PLAIN-MD5}}{MD5}", PHP_LOCKED),
    # SOGo would take these for the password itself.
    "secret": (LOCKED, PHP_LOCKED),
    "{}secret": (LOCKED, PHP_LOCKED),
    "{PBKDF2}$1$abc$5000$def": (LOCKED, PHP_LOCKED),
    "{SCRAM-SHA-256}4096,a,b,c": (LOCKED, PHP_LOCKED),
    "{CRYPT}!": (LOCKED, PHP_LOCKED),
    "!": (LOCKED, PHP_LOCKED),
    "{PLAIN}": (LOCKED, PHP_LOCKED),
    "": (LOCKED, PHP_LOCKED),
}


def test_hashes_are_written_as_the_programs_read_them(rows):
    for stored, expected in STORED.items():
        Mailbox.objects.filter(pk=BOB).update(password=stored)
        found = tuple(read_passwords(rows, system)[BOB] for system in TABLES)
        assert found == expected, stored


# What the programs ask, as they ask it

SOGO_QUERIES = (
    "SELECT c_password FROM sogo_users WHERE (c_uid = '{}')",
    "SELECT * FROM sogo_users WHERE ((c_uid = '{}') OR (mail = '{}'))",
    "SELECT * FROM sogo_users WHERE ((domain = 'example.org') AND ((c_uid = '{}')))",
)
# Of user_sql; those of user_backend_sql_raw are in the documentation
NEXTCLOUD_QUERIES = (
    "SELECT u.uid AS uid, u.uid AS username, u.display_name AS name, u.email AS email,"
    " u.quota AS quota, null AS home, u.active AS active, false AS avatar, null AS salt,"
    " u.password AS password FROM nextcloud_users u WHERE u.uid = '{}'",
    "SELECT g.gid AS gid, g.gid AS name, false AS admin FROM nextcloud_groups g"
    " LEFT JOIN nextcloud_user_groups ug ON ug.gid = g.gid WHERE ug.uid = '{}' ORDER BY g.gid",
)


@pytest.mark.parametrize("query", SOGO_QUERIES + NEXTCLOUD_QUERIES)
def test_no_lookup_of_a_person_reads_more_than_a_few_rows(rows, query):
    row = Mailbox.objects.get(pk=BOB)
    many = []
    for number in range(300):
        key = f"u{number}@example.org"
        many.append(replace_key(row, key, f"u{number}"))
    Mailbox.objects.bulk_create(many)
    rows.execute("ANALYZE TABLE test_mailadmin.mailbox")
    asked = query.replace("{}", BOB)
    assert len(rows.rows(asked)) == 1
    assert rows_read(rows, asked) < 20
    assert ways(rows, asked) <= BY_KEY | {"range", "system"}


def replace_key(row, key, local_part):
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return Mailbox(**values | {"username": key, "local_part": local_part, "maildir": f"{key}/"})


@pytest.mark.parametrize("system", TABLES)
def test_the_account_reads_the_views_and_writes_nothing(rows, mariadb, system):
    mariadb.execute("CREATE OR REPLACE USER 'web_views'@'%' IDENTIFIED BY 'reader'")
    try:
        said = run(system, "--database", rows.name, f"--{system}-account", "web_views@%")
        assert all(line.startswith("GRANT SELECT ON ") for line in grants(said))
        mariadb.execute("\n".join(grants(said)))
        client = replace(mariadb, user="web_views", password="reader")
        table, key, password = TABLES[system]
        assert client.run(f"SELECT * FROM {table}", rows.name).stdout.count("\n") == 1
        for sql in (
            f"UPDATE {table} SET {password} = 'x' WHERE {key} = '{BOB}'",
            f"DELETE FROM {table}",
            "SELECT 1 FROM test_mailadmin.mailbox",
        ):
            assert "denied" in client.run(sql, rows.name).stderr, sql
    finally:
        mariadb.execute("DROP USER 'web_views'@'%'")


def test_the_default_accounts_are_named_as_the_programs(old):
    for system in TABLES:
        said = run(system, "--database", old.name)
        assert set(re.findall(r" TO (\S+);", said)) == {f"'{system}'@'localhost'"}
