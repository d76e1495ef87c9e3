"""Views for the map files of older systems: large and adopted databases."""

import pytest

from domains.models import AliasDomain, Domain, DomainState, Transport
from mailboxes.models import Alias, Mailbox
from tests.legacy_databases import Database
from tests.mailboxes.transfer.legacy_views.queries import (
    BY_KEY,
    MAIL_SYSTEMS,
    dovecot_queries,
    postfix_queries,
    rows_read,
    run,
    select,
    ways,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
]


MANY = 20_000


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
    for system in MAIL_SYSTEMS:
        run(system, "--database", old.name)
        for key in keys:
            for query in postfix_queries(system, key) + dovecot_queries(system, key):
                assert ways(old, query) <= BY_KEY, query
                assert rows_read(old, query) < 10, query


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
    for system in MAIL_SYSTEMS:
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
