"""Views for the map files of older systems."""

import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from domains.models import AliasDomain, Domain, DomainState, Transport
from domains.services.domains import set_domains
from mailadmin.conf import BASE_DIR
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import set_aliases
from mailboxes.services.mailboxes import set_mailboxes
from mailboxes.transfer.legacy_views.views import LEGACY_SYSTEMS, number_expression
from tests.legacy_databases import Database, environment
from tests.mailboxes.delivery.sending import (
    add_alias_domain,
    add_transport,
    alias,
    domain,
    mailbox,
    perform_service,
)
from tests.mailboxes.transfer.legacy_systems import CONFIGURATIONS, Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
]
UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
DENIED = "554 5.7.1 <{}>: Relay access denied"


# The command


@pytest.fixture
def old(mariadb, empty_database):
    """A database for the views."""
    return Database(mariadb, empty_database.rpartition("/")[2])


@pytest.fixture
def panel(mariadb):
    """The panel's own database, whose views are dropped afterwards."""
    yield Database(mariadb, connection.settings_dict["NAME"])
    for system in LEGACY_SYSTEMS:
        run(system, "--drop")


def run(*arguments):
    """Run the command and return its output."""
    out = io.StringIO()
    call_command("compat-views", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments):
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    return str(refused.value)


def run_alone(url, *arguments):
    """Run the command on another database or as another account: exit status, error, output."""
    program = [sys.executable, "manage.py", "compat-views", *arguments]
    settings = environment(MAILADMIN_DATABASE_URL=url)
    done = subprocess.run(program, env=settings, cwd=BASE_DIR, capture_output=True, text=True)
    return done.returncode, done.stderr, done.stdout


def verbs(said):
    """Return view → action."""
    return dict(re.findall(r"^-- .+\.(\w+): (.+)$", said, re.M))


def grants(said):
    return [line for line in said.splitlines() if line.startswith("GRANT")]


def definition(database, view):
    return database.value(
        "SELECT view_definition FROM information_schema.views"
        f" WHERE table_schema = '{database.name}' AND table_name = '{view}'"
    )


def definitions(database):
    return database.rows(
        "SELECT table_name, MD5(view_definition), security_type FROM information_schema.views"
        f" WHERE table_schema = '{database.name}'"
    )


def table_names(system):
    return [view.name for view in LEGACY_SYSTEMS[system]]


@pytest.mark.parametrize("system", LEGACY_SYSTEMS)
def test_views_are_created_once_and_removed_again(old, system):
    there = dict.fromkeys(table_names(system), "created")
    assert verbs(run(system, "--database", old.name)) == there
    assert sorted(old.tables()) == sorted(there)
    made = old.rows("SHOW GLOBAL STATUS LIKE 'Com_create_view'")
    said = run(system, "--database", old.name)
    assert set(verbs(said).values()) == {"unchanged"}
    assert old.rows("SHOW GLOBAL STATUS LIKE 'Com_create_view'") == made
    assert set(verbs(run(system, "--database", old.name, "--drop")).values()) == {"removed"}
    assert old.tables() == []
    assert set(verbs(run(system, "--database", old.name, "--drop")).values()) == {"did not exist"}


def test_without_a_name_they_are_in_the_panels_own_database(panel):
    tables = set(panel.tables())
    expected = json.loads(run("ispmail", "--json"))
    assert expected["database"] == panel.name
    assert expected["views"] == dict.fromkeys(table_names("ispmail"), "made")
    assert set(panel.tables()) - tables == set(expected["views"])
    assert [line for line in expected["grants"] if "`password`" in line] == []


def test_both_systems_fit_into_one_database(old):
    for system in LEGACY_SYSTEMS:
        run(system, "--database", old.name)
    run("ispmail", "--database", old.name, "--drop")
    assert sorted(old.tables()) == sorted(table_names("forwardings"))


STRANGE = {
    "a table": "CREATE TABLE users (email int); INSERT INTO users VALUES (1)",
    "a view": "CREATE TABLE mine (email int); CREATE VIEW users AS SELECT email FROM mine",
}


@pytest.mark.parametrize("statement", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("drop", [[], ["--drop"]], ids=["make", "drop"])
def test_foreign_objects_are_named_and_kept(old, statement, drop):
    old.execute(statement)
    before = old.structure(), definitions(old)
    said = refusal("forwardings", "--database", old.name, *drop)
    assert f"{old.name}.users" in said
    assert (old.structure(), definitions(old)) == before


def test_a_foreign_view_of_the_same_name_is_kept(old):
    run("ispmail", "--database", old.name)
    old.execute("CREATE OR REPLACE VIEW virtual_users AS SELECT 1 AS id")
    before = definitions(old)
    for drop in ([], ["--drop"]):
        said = refusal("ispmail", "--database", old.name, *drop)
        assert "virtual_users" in said
        assert "virtual_domains" not in said
    assert definitions(old) == before


def test_a_view_with_another_definition_is_recreated(old, settings):
    run("ispmail", "--database", old.name)
    settings.MAILADMIN_VACATION_DOMAIN = "away.example"
    assert verbs(run("ispmail", "--database", old.name)) == {
        "virtual_domains": "unchanged",
        "virtual_users": "unchanged",
        "virtual_aliases": "created again",
    }


def test_a_view_with_invoker_security_is_recreated(old):
    """Readers have no rights on the panel's tables."""
    run("forwardings", "--database", old.name)
    text = definition(old, "users")
    old.execute(f"ALTER SQL SECURITY INVOKER VIEW users AS {text}")
    assert verbs(run("forwardings", "--database", old.name))["users"] == "created again"
    assert verbs(run("forwardings", "--database", old.name))["users"] == "unchanged"


@pytest.mark.parametrize("name", ["nowhere", "a`b", "x; DROP TABLE alias", "'", "🐎", " "])
def test_a_missing_database_is_named(name):
    assert f"The database {name} does not exist," in refusal("ispmail", "--database", name)


def test_a_database_may_have_any_name(mariadb, accounts):
    """The printed statements can be run unchanged."""
    name = "it's `quoted`; 100% -- so"
    quoted = name.replace("`", "``")
    mariadb.execute(f"CREATE DATABASE `{quoted}`")
    try:
        mariadb.execute(run("forwardings", "--database", name, *accounts))
        assert set(verbs(run("forwardings", "--database", name)).values()) == {"unchanged"}
        run("forwardings", "--database", name, "--drop")
    finally:
        mariadb.execute(f"DROP DATABASE `{quoted}`")


@pytest.mark.parametrize(
    "arguments",
    [
        ["ispmail", "--postfix-account", "postfix"],
        ["ispmail", "--dovecot-account", "o'brien@localhost"],
        ["ispmail", "--dovecot-account", "dovecot@localhost; DROP TABLE alias"],
        ["ispmail", "--database", ""],
        ["courier"],
    ],
)
def test_wrong_usage_is_distinguished_from_a_refusal(panel, arguments):
    tables = panel.tables()
    status, error, said = run_alone(panel.server.url(panel.name), *arguments)
    assert (status, said, panel.tables()) == (2, "", tables)
    assert "Traceback" not in error


def test_views_are_refused_on_sqlite(tmp_path):
    status, error, _said = run_alone(f"sqlite://{tmp_path}/panel.sqlite3", "ispmail")
    assert status == 1
    assert error == "CommandError: Compatibility views are available for MySQL and MariaDB only.\n"


def test_an_unmigrated_database_is_reported(mariadb, old):
    status, error, _said = run_alone(mariadb.url(old.name), "ispmail")
    assert status == 1
    assert "mailadmin migrate" in error
    assert "Traceback" not in error
    assert old.tables() == []


def test_mailboxes_in_folders_unknown_to_older_files_are_reported(old):
    """Postfix's file derives it from the address."""
    domain()
    for name in ("bob", "eve", "joe"):
        mailbox(f"{name}@example.org")
    Mailbox.objects.filter(pk="bob@example.org").update(maildir="Example.org/bob/")
    Mailbox.objects.filter(pk="joe@example.org").update(maildir="example.org/joe")
    said = run("forwardings", "--database", old.name)
    assert "-- 2 mailboxes have different folders" in said
    assert said.endswith(": bob@example.org, joe@example.org\n")
    assert "mailboxes" not in run("ispmail", "--database", old.name)


# Grants


@pytest.fixture
def restricted_account(mariadb, panel, old):
    """Create an account that reads the panel's tables, with more grants; return its URL."""
    place = Place(mariadb, panel.name, "clerk", "clerk").with_account()
    mariadb.execute(f"GRANT SHOW VIEW ON `{old.name}`.* TO 'clerk'@'%'")
    yield f"mysql://clerk:clerk@127.0.0.1:{mariadb.port}/{place.name}"
    mariadb.execute("DROP USER 'clerk'@'%'")


def test_without_the_right_to_create_views_nothing_is_created(restricted_account, old):
    status, error, said = run_alone(restricted_account, "ispmail", "--database", old.name)
    assert (status, said, old.tables()) == (1, "", [])
    assert f"{old.name}.virtual_domains" in error
    assert "CREATE VIEW command denied" in error
    assert "Traceback" not in error


def test_if_the_third_view_fails_the_others_are_rolled_back(mariadb, restricted_account, old):
    """The second exists with an older definition and is restored."""
    run("ispmail", "--database", old.name)
    old.execute("DROP VIEW virtual_domains, virtual_aliases")
    wording = definition(old, "virtual_users")
    other = re.sub(r"mailadmin_compat_\w+", "mailadmin_compat_0123456789ab", wording)
    old.execute(f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW virtual_users AS {other}")
    for name in ("virtual_domains", "virtual_users"):
        rights = "SELECT, CREATE, DROP, SHOW VIEW, CREATE VIEW"
        mariadb.execute(f"GRANT {rights} ON `{old.name}`.{name} TO 'clerk'@'%'")
    before = old.structure(), definitions(old)
    status, error, _said = run_alone(restricted_account, "ispmail", "--database", old.name)
    assert status == 1
    assert f"{old.name}.virtual_aliases" in error
    assert (old.structure(), definitions(old)) == before


@pytest.fixture
def accounts(mariadb):
    """An account for Postfix and one for Dovecot, as options of the command."""
    for user in ("postfix_views", "dovecot_views"):
        mariadb.execute(f"CREATE OR REPLACE USER '{user}'@'%' IDENTIFIED BY 'reader'")
    yield ["--postfix-account", "postfix_views@%", "--dovecot-account", "dovecot_views@%"]
    mariadb.execute("DROP USER 'postfix_views'@'%', 'dovecot_views'@'%'")


def run_as(user, sql, database):
    """Return the server's reply to an account."""
    client = replace(database.server, user=user, password="reader")
    return client.run(sql, database.name)


def settings_in(system, folder, pattern):
    """Return the settings of a system's files on one line each."""
    files = sorted((CONFIGURATIONS / system / folder).rglob("*.*"))
    text = "\n".join(path.read_text() for path in files).replace("\\\n", "")
    return re.findall(pattern, text, re.M)


def postfix_queries(system, key):
    queries = settings_in(system, "postfix", r"^query = (.*)")
    return [query.replace("%s", key) for query in queries]


def dovecot_queries(system, key):
    """Return the queries for a single user."""
    queries = settings_in(system, "dovecot", r"^(?:user|password)_query = (.*)")
    local_part, _at, name = key.partition("@")
    words = {"%u": key, "%n": local_part, "%d": name}
    for old, new in words.items():
        queries = [query.replace(old, new) for query in queries]
    return queries


@pytest.mark.parametrize("system", LEGACY_SYSTEMS)
def test_each_account_can_run_its_queries_and_postfix_reads_no_password(old, accounts, system):
    domain()
    mailbox("bob@example.org")
    old.server.execute(run(system, "--database", old.name, *accounts))
    users = "virtual_users" if system == "ispmail" else "users"
    for query in postfix_queries(system, "bob@example.org"):
        assert run_as("postfix_views", query, old).returncode == 0
    for column in ("password", "*"):
        assert "denied" in run_as("postfix_views", f"SELECT {column} FROM {users}", old).stderr
    assert (
        "denied" in run_as("dovecot_views", f"SELECT 1 FROM {table_names(system)[0]}", old).stderr
    )
    for query in dovecot_queries(system, "bob@example.org"):
        assert run_as("dovecot_views", query, old).stdout.count("\n") == 1
    for user in ("postfix_views", "dovecot_views"):
        assert "denied" in run_as(user, "SELECT 1 FROM test_mailadmin.alias", old).stderr
        assert "denied" in run_as(user, f"SHOW CREATE VIEW {users}", old).stderr


# Results


def select(database, columns, table):
    """Rows in order, as texts."""
    return database.rows(f"SELECT {columns} FROM {table} ORDER BY 1, 2")


def switch_off(service, key):
    perform_service(service, [key], "active", False)


@pytest.fixture
def rows(old):
    """Create one active row of each kind, and inactive ones."""
    domain()
    domain("off.example")
    domain("backup.example", backupmx=True)
    Domain(domain="ALL").save(force_insert=True)
    mailbox("bob@example.org", quota=3)
    mailbox("eve@example.org")
    mailbox("dan@off.example")
    mailbox("ann@backup.example")
    alias("info@example.org", "bob@example.org", "carol@elsewhere.example")
    alias("gone@example.org", "bob@example.org")
    alias("old@off.example", "bob@example.org")
    add_alias_domain("example.net")
    add_alias_domain("example.com")
    add_alias_domain("off.test", target="off.example")
    alias("boss@example.net", "bob@example.org")
    alias("*@example.com", "bob@example.org")
    switch_off(set_mailboxes, "eve@example.org")
    switch_off(set_aliases, "gone@example.org")
    switch_off(set_domains, "off.example")
    for system in LEGACY_SYSTEMS:
        run(system, "--database", old.name)
    return old


def test_domains_are_those_with_mailboxes(rows):
    names = ["example.com", "example.net", "example.org", "off.test"]
    assert select(rows, "domain, domain", "domains") == [(name, name) for name in names]
    assert select(rows, "name, name", "virtual_domains") == [(name, name) for name in names]


def test_users_are_those_who_may_log_in(rows):
    """In domains with mailboxes; quotas are bytes, and 0 is unlimited."""
    for quota, expected in ((3072000, "3072000"), (0, "0"), (-1, "0")):
        Mailbox.objects.update(quota=quota)
        for table in ("users", "virtual_users"):
            assert select(rows, "email, quota", table) == [("bob@example.org", expected)]


def test_addresses_have_the_same_targets_as_in_the_panel(rows):
    """An alias domain points to its target as a whole, unless it has its own catch-all."""
    found = select(rows, "source, destination", "forwardings")
    assert found == [
        ("@example.com", "bob@example.org"),
        ("@example.net", "@example.org"),
        ("ann@backup.example", "ann@backup.example"),
        ("bob@example.org", "bob@example.org"),
        ("boss@example.net", "bob@example.org"),
        ("info@example.org", "bob@example.org,carol@elsewhere.example"),
    ]
    assert select(rows, "source, destination", "virtual_aliases") == found


def test_an_inactive_mailbox_is_listed_if_another_would_get_its_mail(rows):
    """No mailbox is found for it, so that its mail is refused and not caught by a catch-all."""
    listed = "forwardings WHERE source LIKE 'eve@%'"
    mailbox("eve@example.net")
    switch_off(set_mailboxes, "eve@example.net")
    assert select(rows, "source, destination", listed) == [("eve@example.net", "eve@example.net")]
    alias("*@example.org", "bob@example.org")
    assert [row[0] for row in select(rows, "source, destination", listed)] == [
        "eve@example.net",
        "eve@example.org",
    ]
    switch_off(set_aliases, "@example.org")
    AliasDomain.objects.update(active=False)
    assert select(rows, "source, destination", listed) == []


def test_an_alias_without_targets_is_omitted(rows):
    Alias.objects.filter(pk__in=["info@example.org", "bob@example.org"]).update(goto="")
    listed = "forwardings WHERE source LIKE '%@example.org'"
    assert select(rows, "source, destination", listed) == [("bob@example.org", "bob@example.org")]


def test_an_inactive_alias_domain_has_no_targets(rows):
    AliasDomain.objects.update(active=False)
    assert select(rows, "source, destination", "forwardings WHERE source = '@example.net'") == []


def test_an_alias_domain_created_by_another_program_is_found(rows):
    DomainState.objects.all().delete()
    run("ispmail", "--database", rows.name)
    where = "virtual_aliases WHERE source = '@example.net'"
    assert select(rows, "source, destination", where) == [("@example.net", "@example.org")]
    state = DomainState.objects.get(pk="example.org")
    assert (state.mailboxes, state.aliases) == (2, 2)


def test_no_address_is_listed_twice(rows):
    """Postfix would join the results."""
    listed = [row[0] for row in select(rows, "source, destination", "virtual_aliases")]
    assert len(listed) == len(set(listed))


GOTO = {
    "bob@example.org,bob#example.org@autoreply.localhost": "bob@example.org",
    "bob#example.org@autoreply.localhost,bob@example.org": "bob@example.org",
    "carol@example.com,BOB#example.org@Autoreply.localhost, x@y.example": (
        "carol@example.com, x@y.example"
    ),
    "bob#example.org@autoreply.localhost": "bob@example.org",
    "x@autoreply.localhost.example,y@notautoreply.localhost": (
        "x@autoreply.localhost.example,y@notautoreply.localhost"
    ),
    "x@autoreplyXlocalhost": "x@autoreplyXlocalhost",
}


@pytest.mark.parametrize("goto, expected", GOTO.items(), ids=lambda text: text)
def test_the_targets_of_vacations_are_left_out(old, goto, expected):
    domain()
    Alias.objects.create(address="bob@example.org", goto=goto, domain_id="example.org")
    run("forwardings", "--database", old.name)
    assert select(old, "source, destination", "forwardings") == [("bob@example.org", expected)]


def test_transports_are_those_of_the_table_and_of_domains(old):
    domain("example.org", transport="lmtp:unix:private/x")
    domain("example.com", transport="relay:[mx.example.com]")
    domain("example.net", transport="virtual")
    domain("off.example", transport="relay:")
    add_transport("example.com", "smtp:[gate.example.com]")
    add_transport("*", "smtp:[gate.example]")
    add_transport("joe@example.org", ":")
    add_transport("example.org", ":")
    Transport.objects.filter(pk="example.org").update(active=False)
    switch_off(set_domains, "off.example")
    run("forwardings", "--database", old.name)
    assert select(old, "domain, transport", "transport") == [
        ("*", "smtp:[gate.example]"),
        ("example.com", "smtp:[gate.example.com]"),
        ("example.org", "lmtp:unix:private/x"),
        ("joe@example.org", ":"),
    ]


def test_passwords_have_a_scheme_prefix(old):
    """An older Dovecot may have another default scheme."""
    domain()
    hashes = {
        "$2y$05$abc": "{CRYPT}$2y$05$abc",
        "$argon2id$v=19$abc": "{ARGON2ID}$argon2id$v=19$abc",
        "$argon2i$v=19$abc": "{ARGON2I}$argon2i$v=19$abc",
        "{CRAM-MD5}abc": "{CRAM-MD5}abc",
        "WfrwLEkN93dMU": "WfrwLEkN93dMU",
        "": "",
    }
    for number_, stored in enumerate(hashes):
        mailbox(f"u{number_}@example.org")
        Mailbox.objects.filter(pk=f"u{number_}@example.org").update(password=stored)
    run("ispmail", "--database", old.name)
    found = select(old, "email, password", "virtual_users")
    assert [password for _email, password in found] == list(hashes.values())


# IDs


def test_users_and_aliases_are_joined_with_their_domains_by_id(rows):
    found = rows.rows(
        "SELECT email, name FROM virtual_users u JOIN virtual_domains d ON u.domain_id = d.id"
        " UNION SELECT source, name FROM virtual_aliases a"
        " JOIN virtual_domains d ON a.domain_id = d.id ORDER BY 1"
    )
    sources = {row[0] for row in select(rows, "source, 1", "virtual_aliases")}
    assert {address for address, _name in found} == sources - {"ann@backup.example"}
    assert all(address.rpartition("@")[2] == name for address, name in found)


def test_ids_are_stable(rows):
    """Also in another spelling, and after the views are recreated."""
    columns = "id, email FROM virtual_users UNION SELECT id, LOWER(name) FROM virtual_domains"
    columns += " UNION SELECT id, source"
    before = dict(select(rows, columns, "virtual_aliases"))
    mailbox("new@example.org")
    Domain.objects.filter(pk="example.org").update(domain="Example.ORG")
    run("ispmail", "--database", rows.name, "--drop")
    run("ispmail", "--database", rows.name)
    after = dict(select(rows, columns, "virtual_aliases"))
    assert {key: name for key, name in after.items() if name != "new@example.org"} == before
    assert all(0 < int(key) < 2**60 for key in after)


def test_200_000_addresses_have_unique_ids(mariadb):
    """Thirty-two bits would not be enough."""
    names = number_expression("CONCAT('user', seq, '@example', seq % 1000, '.org')")
    counts = f"COUNT(DISTINCT {names}), COUNT(DISTINCT {names} & 0xFFFFFFFF) < 200000"
    assert mariadb.execute(f"SELECT {counts} FROM mysql.seq_1_to_200000") == ["200000\t1"]


# Performance

MANY = 20_000
BY_KEY = {"const", "eq_ref", "ref", "unique_subquery"}  # the last is eq_ref within EXISTS


def many_rows():
    """A large site: half of its domains mirror the others."""
    names = [f"d{i}.example" for i in range(MANY)]
    targets, mirrors = names[: MANY // 2], names[MANY // 2 :]
    Domain.objects.bulk_create([Domain(domain=name) for name in names], batch_size=5000)
    DomainState.objects.bulk_create(
        [DomainState(domain_id=name) for name in names], batch_size=5000
    )
    pairs = zip(mirrors, targets, strict=True)
    AliasDomain.objects.bulk_create(
        [AliasDomain(alias_domain_id=a, target_domain_id=b) for a, b in pairs], batch_size=5000
    )
    Mailbox.objects.bulk_create(
        [
            Mailbox(username=f"{who}@{name}", local_part=who, domain_id=name, maildir="x/")
            for name in targets
            for who in ("bob", "eve")
        ],
        batch_size=5000,
    )
    Alias.objects.bulk_create(
        [
            Alias(address=f"{who}@{name}", goto=f"bob@{name}", domain_id=name)
            for name in targets
            for who in ("bob", "info")
        ],
        batch_size=5000,
    )
    Transport.objects.bulk_create(
        [Transport(pattern=name, transport=":") for name in names], batch_size=5000
    )


def test_no_legacy_query_reads_more_than_a_few_rows(old):
    many_rows()
    keys = ["bob@d7.example", "eve@d7.example", "info@d7.example", "d7.example", "@d10007.example"]
    keys += ["@d7.example", "nobody@d7.example", "nowhere.example", "*"]
    for system in LEGACY_SYSTEMS:
        run(system, "--database", old.name)
        for key in keys:
            for query in postfix_queries(system, key) + dovecot_queries(system, key):
                assert ways(old, query) <= BY_KEY, query
                assert rows_read(old, query) < 10, query


def ways(database, query):
    """Return the access type of each table, without results of UNION."""
    plan = database.rows(f"EXPLAIN {query}")
    tables = [row for row in plan if not row[2].startswith(("<", "NULL"))]
    assert all(row[2].startswith("<") for row in plan if row[3] == "ALL"), plan
    return {row[3] for row in tables}


def rows_read(database, query):
    said = database.execute(f"FLUSH STATUS; {query}; SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(line.split("\t")[1]) for line in said if line.startswith("Handler_read"))


# Adopted databases

ADOPTED = {
    "2.1": ("2.1", "", ""),
    "2.1 in utf8": ("2.1", "utf8", ""),
    "3.3.13 with a prefix": ("3.3.13", "", "pfa_"),
    "1856 in another collation": ("1856", "utf8mb4 COLLATE utf8mb4_unicode_ci", ""),
}


@pytest.fixture(params=ADOPTED.values(), ids=ADOPTED)
def adopted(request, mariadb):
    """An adopted database of PostfixAdmin."""
    shape, charset, prefix = request.param
    database = Database.of_shape(mariadb, "compat_adopted", shape, charset, prefix)
    database.migrate()
    yield database
    database.drop()


def answered(database, old):
    """Assert that every old query uses keys on these tables; return the results for bob."""
    for system in LEGACY_SYSTEMS:
        database.panel("manage.py", "compat-views", system, "--database", old.name)
        for key in ("bob@example.org", "@example.org", "example.org"):
            for query in postfix_queries(system, key) + dovecot_queries(system, key):
                assert ways(old, query) <= BY_KEY, query
                old.execute(query)
    where = "virtual_aliases WHERE source = 'bob@example.org'"
    return select(old, "source, destination", where)


def test_views_work_on_every_adopted_database(adopted, old):
    assert answered(adopted, old) == [("bob@example.org", "bob@example.org")]


def test_views_are_recreated_after_a_collation_change_by_postfixadmin(mariadb, old):
    """Its upgrade breaks them until the panel's tables are converted and they are recreated."""
    database = Database.of_shape(mariadb, "compat_adopted", "2.1")
    try:
        database.migrate()
        before = answered(database, old)
        for table in ("domain", "alias", "mailbox", "alias_domain"):
            database.execute(
                "SET sql_mode = '';"
                f"ALTER TABLE {table} CONVERT TO CHARSET latin1 COLLATE latin1_general_ci"
            )
        database.migrate()
        assert answered(database, old) == before
    finally:
        database.drop()
