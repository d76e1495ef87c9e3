"""`mailserver check`: domains, aliases and transports, as their maps answer."""

from dataclasses import replace

import pytest

from mailboxes.mailserver.checks import run_checks
from tests.mailboxes.sample_configurations import (
    ROWS,
    SAMPLES,
    change,
    clean,
    codes,
    configuration,
    main_cf,
    write,
)


@pytest.mark.parametrize(
    "relay, virtual, clashes",
    [
        ("backupmx = '1'", "backupmx = '0'", False),
        ("backupmx = '1'", "backupmx = '1'", True),
        ("backupmx = '1'", "NOT (transport LIKE 'smtp%%')", True),
        ("transport LIKE 'smtp%%'", "NOT (transport LIKE 'smtp%%')", False),
        ("transport LIKE 'smtp%%'", "active = '1'", True),
    ],
)
def test_two_queries_clash_unless_a_condition_separates_domains(relay, virtual, clashes, tmp_path):
    edits = (
        change("postfix/sql/relays.cf", "backupmx = '1'", relay),
        change("postfix/sql/domains.cf", "backupmx = '0'", virtual),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"relay-and-virtual"} if clashes else set())


def test_domains_listed_in_files_clash_too(tmp_path):
    relays = change("postfix/main.cf", "$sql/relays.cf", "a.example, b.example")
    virtual = change("postfix/main.cf", "$sql/domains.cf", "inline:{b.example=x, c.example=x}")
    found = run_checks(configuration(tmp_path, relays, virtual))
    assert [each.fault.about for each in found] == ["b.example"]
    assert codes(found) == {"relay-and-virtual"}


def test_a_map_inside_a_unionmap_is_approved_with_the_unionmap(tmp_path):
    union = "unionmap:{$sql/senders.cf, $sql/aliases.cf}"
    assert clean(change("postfix/main.cf", "$sql/senders.cf", union))(tmp_path) == []


def test_a_transport_may_be_written_in_the_query(tmp_path):
    file = "postfix/sql/transports.cf"
    constant = change(file, "SELECT transport", "SELECT 'smtp:[mx.hosting.example]'")
    assert clean(constant)(tmp_path / "constant") == []
    nothing = change("postfix/sql/aliases.cf", "SELECT goto", "SELECT 'a:b'")
    found = run_checks(configuration(tmp_path / "nothing", nothing))
    assert codes(found) == {"wrong-column-selected"}


def test_the_wildcard_of_the_panel_is_found_when_its_table_is_queried(tmp_path):
    facts = replace(ROWS, star_transport_domains=("example.org",))
    assert clean(facts=facts)(tmp_path / "unasked") == []
    file = "postfix/sql/transports.cf"
    database = (SAMPLES / "clean" / file).read_text().partition("query =")[0]
    query = "SELECT transport FROM mailadmin_transport WHERE pattern = '%s' AND active = 1"
    ours = write(file, f"{database}query = {query}\n")
    found = run_checks(configuration(tmp_path / "asked", ours, facts=facts))
    assert codes(found) == {"star-transport-takes-all"}
    careless = change(file, " AND active = 1")
    found = run_checks(configuration(tmp_path / "careless", ours, careless))
    assert codes(found) == {"inactive-rows-answer"}


def test_the_wildcard_of_the_panel_is_found_when_a_legacy_view_is_queried(tmp_path):
    facts = replace(ROWS, star_transport_domains=("example.org",))
    file = "postfix/sql/transports.cf"
    database = (SAMPLES / "clean" / file).read_text().partition("query =")[0]
    query = "SELECT transport FROM transport WHERE domain = '%s'"
    found = run_checks(
        configuration(tmp_path, write(file, f"{database}query = {query}\n"), facts=facts)
    )
    assert codes(found) == {"star-transport-takes-all"}
    assert [each.fault.about for each in found] == ["example.org"]


NO_MIRRORS = (
    change("postfix/main.cf", "    $sql/alias-domains.cf,\n"),
    change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
)
MIRRORED = replace(ROWS, alias_domains=frozenset({"branch.example"}))


@pytest.mark.parametrize(
    "edits, facts",
    [
        ((), replace(MIRRORED, catch_alls=frozenset({"branch.example"}))),
        (
            (
                change(
                    "postfix/main.cf", "$sql/aliases.cf,", "inline:{@branch.example=@example.org}"
                ),
            ),
            MIRRORED,
        ),
        ((change("postfix/sql/aliases.cf", "FROM alias", "FROM virtual_aliases"),), MIRRORED),
        ((change("postfix/main.cf", "$sql/aliases.cf,", "$sql/aliases.cf, ldap:x"),), MIRRORED),
    ],
    ids=["row", "file", "view", "unknown map"],
)
def test_an_alias_domain_may_be_listed_in_other_ways(edits, facts, tmp_path):
    found = run_checks(configuration(tmp_path, *NO_MIRRORS, *edits, facts=facts))
    assert "no-alias-domain-map" not in codes(found)


def test_one_alias_domain_without_a_row_is_enough(tmp_path):
    more = frozenset({"branch.example", "other.example"})
    facts = replace(ROWS, alias_domains=more, catch_alls=frozenset({"branch.example"}))
    found = run_checks(configuration(tmp_path, *NO_MIRRORS, facts=facts))
    [fault] = [each.fault for each in found if each.check.code == "no-alias-domain-map"]
    assert fault.about == "other.example"


@pytest.mark.parametrize("kind, clashes", [("relaydomain", False), ("domain", True)])
def test_constants_of_any_column_separate_domains(kind, clashes, tmp_path):
    edits = (
        change("postfix/sql/relays.cf", "backupmx = '1'", f"type = '{kind}'"),
        change("postfix/sql/domains.cf", "backupmx = '0'", "type = 'domain'"),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"relay-and-virtual"} if clashes else set())


def test_a_missing_table_of_mailboxes_matters_unless_recipients_are_verified(tmp_path):
    gone = change("postfix/main.cf", "virtual_mailbox_maps = $sql/mailboxes.cf\n")
    assert codes(run_checks(configuration(tmp_path / "missing", gone))) == {"parameter-not-set"}
    verified = main_cf("smtpd_recipient_restrictions = reject_unverified_recipient")
    assert clean(gone, verified)(tmp_path / "verified") == []


@pytest.mark.parametrize(
    "local_part, is_missed",
    [
        ("CONCAT(SUBSTRING_INDEX('%s', '@', 1), '@', alias_domain.target_domain)", False),
        ("CONCAT('%u', '@', alias_domain.target_domain) AND '%s' <> ''", True),
    ],
)
def test_one_query_may_match_catch_alls_too(local_part, is_missed, tmp_path):
    edits = (
        change("postfix/main.cf", "    $sql/catch-alls.cf\n"),
        change(
            "postfix/sql/alias-domains.cf",
            "CONCAT('%u', '@', alias_domain.target_domain)",
            local_part,
        ),
    )
    found = run_checks(configuration(tmp_path, *edits))
    assert codes(found) == ({"no-alias-domain-catch-all"} if is_missed else set())


def test_an_unused_pipe_is_not_checked(tmp_path):
    assert "maildrop" in (SAMPLES / "clean/postfix/master.cf").read_text()
    used = replace(ROWS, transports=frozenset({"virtual", "maildrop:"}))
    assert clean()(tmp_path) == []
    found = run_checks(configuration(tmp_path / "used", facts=used))
    assert codes(found) == {"pipe-needs-one-recipient"}


@pytest.mark.parametrize(
    "edit, about",
    [
        (change("postfix/main.cf", "lmtp:unix:private/dovecot-lmtp", "dovecot"), "dovecot"),
        (change("postfix/main.cf", "$sql/transports.cf", "inline:{a.test=Virtual:}"), "Virtual"),
        (main_cf("default_transport = uucp:gate"), "uucp"),
    ],
)
def test_services_are_collected_from_all_transport_settings(edit, about, tmp_path):
    found = run_checks(configuration(tmp_path, edit))
    faults = [each.fault for each in found if each.check.code == "unknown-transport-service"]
    assert [fault.about for fault in faults] == [about]


def test_a_table_prefix_is_understood(tmp_path):
    edit = change(
        "postfix/sql/aliases.cf",
        "FROM alias WHERE address = '%s' AND active = '1'",
        "FROM pa_alias WHERE address = '%s'",
    )
    looked_at = replace(configuration(tmp_path, edit), tables={"pa_alias": "alias"})
    assert codes(run_checks(looked_at)) == {"inactive-rows-answer"}
