"""Views for the map files of older systems: what they contain."""

import pytest

from domains.models import AliasDomain, Domain, DomainState, Transport
from domains.services.domains import set_domains
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import set_aliases
from mailboxes.services.mailboxes import set_mailboxes
from mailboxes.transfer.legacy_views.sql import number_expression
from mailboxes.transfer.legacy_views.systems import LEGACY_SYSTEMS
from tests.mailboxes.delivery.sending import (
    add_alias_domain,
    add_transport,
    alias,
    domain,
    mailbox,
    perform_service,
)
from tests.mailboxes.transfer.legacy_views.queries import run, select

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mariadb,
    pytest.mark.django_db(transaction=True),
]


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
