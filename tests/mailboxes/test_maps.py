"""Queries of maps: efficient, and safe for every key on every adopted database."""

import os

import MySQLdb
import pytest
from django.db import connection

from domains.models import AliasDomain, Domain, Transport
from mailboxes.mailserver.config_parser.maps import parse_map_reference
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from mailboxes.mailserver.external_maps import expand_placeholders
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.postfix.maps import build_postfix_maps
from mailboxes.postfix.queries import bind_parameters
from tests import collations
from tests.legacy_databases import Database

CHARSETS = ("utf8mb4", "latin1")  # collation of Postfix 3.9 and later, and of older versions
SHAPES = {
    "new": None,
    "2.1": ("2.1", "", ""),
    "2.1 in utf8": ("2.1", "utf8", ""),
    "3.3.13 with a prefix": ("3.3.13", "", "pfa_"),
    "4.0.5 that began in latin1": ("4.0.5", "latin1", ""),
    "1856": ("1856", "", ""),
    "1856 in another collation": ("1856", "utf8mb4 COLLATE utf8mb4_unicode_ci", ""),
}
FOREIGN = ["ж@example.org", "bób@example.org", "bob@exämple.org", "😀@example.org", "@жж.рф"]
# Characters that newer collations treat as equal to others, or ignore.
FOREIGN += ["ｂob@example.org", "b\u200bob@example.org", "bob@example.org\u00ad"]
ODD = ["o'neil@example.org", "a\\@example.org", 'a"b@example.org', "%s@example.org", "@", "x", "a@"]


@pytest.fixture(params=SHAPES)
def adopted(mariadb, request):
    """An adopted database of PostfixAdmin's with bob in it, and a new one."""
    name = f"maps_{os.getpid()}"
    database = (
        Database.of_shape(mariadb, name, *SHAPES[request.param])
        if SHAPES[request.param]
        else Database(mariadb, mariadb.create(name).rpartition("/")[2])
    )
    yield from with_bob(database)


@pytest.fixture(params=collations.NAMES)
def converted(mariadb, request):
    """Such a database whose columns were all given one collation."""
    database = Database.of_shape(mariadb, f"maps_{os.getpid()}", "1856")
    database.convert(request.param)
    yield from with_bob(database)


def with_bob(database):
    database.migrate()
    prefix = database.environ.get("MAILADMIN_TABLE_PREFIX", "")
    for table in ("domain", "mailbox", "alias", "alias_domain"):
        database.execute(f"DELETE FROM `{prefix}{table}`")
    database.execute(
        f"SET sql_mode = '';{ROWS.replace('#', prefix)}"
    )  # as other programs may create it
    yield database
    database.drop()


ROWS = """
INSERT INTO #domain (domain, active, backupmx, transport, description)
VALUES ('example.org', 1, 0, 'virtual', ''), ('mirror.example', 1, 0, 'virtual', '');
INSERT INTO #mailbox (username, password, name, maildir, local_part, domain, quota, active)
VALUES ('bob@example.org', 'x', '', 'example.org/bob/', 'bob', 'example.org', 0, 1),
       ('?@example.org', 'x', '', 'example.org/mark/', '?', 'example.org', 0, 1);
INSERT INTO #alias (address, goto, domain, active)
VALUES ('bob@example.org', 'bob@example.org', 'example.org', 1);
INSERT INTO #alias_domain (alias_domain, target_domain, active)
VALUES ('mirror.example', 'example.org', 1);
INSERT INTO mailadmin_transport (pattern, transport, active)
VALUES ('bob@example.org', 'smtp:[mx.example]:25', 1), ('?@example.org', 'discard:', 1);
INSERT INTO mailadmin_sender_permission (address, domain, mailbox, mailbox_domain)
VALUES ('office@example.org', 'example.org', 'bob@example.org', 'example.org'),
       ('?@example.org', 'example.org', 'bob@example.org', 'example.org'),
       ('@?.org', '?.org', 'bob@example.org', 'example.org');
"""


@pytest.mark.mariadb
def test_no_key_causes_an_error_and_only_ascii_matches(adopted, tmp_path):
    only_ascii_is_found(adopted, tmp_path)


@pytest.mark.release
@pytest.mark.mysql
@pytest.mark.mariadb
def test_no_collation_confuses_two_addresses(converted, tmp_path):
    only_ascii_is_found(converted, tmp_path)


def only_ascii_is_found(database, folder):
    database.panel(
        *("manage.py", "mailserver", "config", "--hostname", "mail.test"), "--postfix", folder
    )
    postfix = PostfixFiles(folder)
    for charset in CHARSETS:
        for name, rows in answers(database, postfix, charset).items():
            assert not [key for key in FOREIGN if rows[key]], (name, charset)
            if name in FOUND:
                assert rows["bob@example.org"] == [FOUND[name]], (name, charset)
                assert rows["BOB@example.org"] == [FOUND[name]], (name, charset)
            if name == "sender_login":
                assert rows["office@example.org"] == ["bob@example.org"], charset
            if name.endswith("mirror") or name.endswith("mirror_mailbox"):
                assert rows["bob@mirror.example"] in (["bob@example.org"], ["DUNNO"]), name


FOUND = {
    "virtual_alias": "bob@example.org",
    "virtual_alias_mailbox": "bob@example.org",
    "virtual_mailbox": "example.org/bob/",
    "sender_login": "bob@example.org",
    "refused_recipients": "DUNNO",
    "transport_pattern": "smtp:[mx.example]:25",
}


def answers(database, postfix, charset):
    """Return map → key → result of its query in a connection of this charset."""
    client = database.server
    link = MySQLdb.connect(
        unix_socket=client.socket,
        user=client.user,
        password=client.password,
        database=database.name,
        charset=charset,
    )
    own = ["bob@example.org", "BOB@example.org", "bob@mirror.example", "office@example.org"]
    keys = [*FOREIGN, *ODD, *own]
    found = {}
    for file in sorted(postfix.directory.glob("mailadmin/*.cf")):
        query = postfix.sql_map(parse_map_reference(f"mysql:{file}")).query
        found[file.stem] = {key: look_up(link, query, key) for key in keys}
    link.close()
    return found


def look_up(link, query, key):
    """Run the query with the address's bytes, as Postfix does."""

    def quoted(text):
        return link.escape_string(text.encode()).decode("latin1")

    sql = expand_placeholders(query, key, quoted)
    if sql is None:
        return []
    cursor = link.cursor()
    cursor.execute(sql.encode("latin1"))
    return [value for (value,) in cursor.fetchall()]


@pytest.mark.release
@pytest.mark.mysql
@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)  # ANALYZE commits
def test_every_query_finds_its_rows_by_an_index():
    people(3000)
    for query in build_postfix_maps():
        for key in ("user7@d1.example", "@d1.example", "d1.example", "user7@mirror.example", "*"):
            sql, values = bind_parameters(query.sql(), key)
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}", values)
                names = [column[0] for column in cursor.description]
                plan = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            # The temporary result of a UNION is not a table.
            plan = [step for step in plan if step["table"] and step["table"][0] != "<"]
            read = [(step["table"], step["type"]) for step in plan]
            assert not [step for step in read if step[1] in ("ALL", "index")], (query.name, key)
            # `other` is only checked for any row: the first one ends the search.
            few = [
                int(step["rows"] or 0) < 5 for step in plan if step["table"] not in ("other", None)
            ]
            assert all(few), (query.name, plan)


@pytest.mark.sqlite
@pytest.mark.django_db
def test_every_query_finds_its_rows_by_an_index_in_sqlite():
    people(1000)
    for query in build_postfix_maps():
        sql, values = bind_parameters(query.sql(), "user7@d1.example")
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
            plan = [row[3] for row in cursor.fetchall()]
        assert not [step for step in plan if step.startswith("SCAN")], (query.name, plan)


def people(number):
    Domain.objects.bulk_create([Domain(domain=f"d{n}.example") for n in range(10)])
    for name in ("mirror", *[f"mirror{n}" for n in range(30)]):
        Domain.objects.create(domain=f"{name}.example")
        AliasDomain.objects.create(alias_domain_id=f"{name}.example", target_domain_id="d1.example")
    addresses = [(f"user{n}", f"d{n % 10}.example") for n in range(number)]
    Mailbox.objects.bulk_create(
        Mailbox(username=f"{u}@{d}", local_part=u, domain_id=d, maildir=f"{d}/{u}/")
        for u, d in addresses
    )
    Alias.objects.bulk_create(
        Alias(address=f"{u}@{d}", goto=f"{u}@{d}", domain_id=d) for u, d in addresses
    )
    SenderPermission.objects.bulk_create(
        SenderPermission(address=address, domain_id=d, mailbox_id=f"{u}@{d}", mailbox_domain_id=d)
        for u, d in addresses
        for address in (f"office{u}@{d}", f"@{u}.{d}")
    )
    patterns = ["*", *(f".d{n}.example" for n in range(10)), *(f"{u}@{d}" for u, d in addresses)]
    Transport.objects.bulk_create(Transport(pattern=key, transport="smtp:") for key in patterns)
    with connection.cursor() as cursor:
        for model in (Domain, Mailbox, Alias, AliasDomain, Transport, SenderPermission):
            table = model._meta.db_table
            cursor.execute(
                f"ANALYZE TABLE {table}" if connection.vendor == "mysql" else f"ANALYZE {table}"
            )
            if connection.vendor == "mysql":
                cursor.fetchall()
