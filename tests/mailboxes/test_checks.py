"""`mailserver check`: each known fault is found, and a clean configuration has no findings."""

import shutil
from dataclasses import replace

import pytest

from mailboxes.mailserver.checks import CONFIG_CHECKS, rows, run_checks
from tests.mailboxes.faults_dovecot import DOVECOT_FAULTS
from tests.mailboxes.faults_dovecot_versions import VERSION_FAULTS
from tests.mailboxes.faults_postfix import POSTFIX_FAULTS
from tests.mailboxes.sample_configurations import (
    NARROW,
    ROWS,
    SAMPLES,
    VIRTUAL,
    broken_files,
    clean,
    codes,
    configuration,
    hashes,
)

BROKEN = [*POSTFIX_FAULTS, *DOVECOT_FAULTS, *VERSION_FAULTS]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.code)
def test_exactly_the_planted_fault_is_found_with_its_line(broken, tmp_path):
    found = run_checks(broken_files(tmp_path, broken))
    assert codes(found) == {broken.code, *broken.also}
    faults = [each.fault for each in found if each.check.code == broken.code]
    assert faults[0].line.file == f"{tmp_path}/{broken.file}"
    assert faults[0].line.text.strip().startswith(broken.line)
    assert broken.about in faults[0].about


def test_every_finding_has_a_fault():
    assert {finding.code for finding in CONFIG_CHECKS} == {broken.code for broken in BROKEN}


def test_every_finding_explains_its_reason_and_fix():
    for finding in CONFIG_CHECKS:
        assert finding.title and finding.reason and finding.fix, finding.code
        assert finding.severity in ("error", "warning", "advice")


@pytest.mark.parametrize("dovecot", ["clean", "modern", None])
def test_a_clean_configuration_has_no_findings(dovecot, tmp_path):
    assert clean(dovecot=dovecot, facts=replace(ROWS, non_unicode_tables=NARROW))(tmp_path) == []


def test_a_clean_configuration_has_no_findings_without_a_database(tmp_path):
    assert clean(facts=rows.EMPTY_FACTS)(tmp_path) == []


def test_local_delivery_by_postfix_is_accepted(tmp_path):
    assert clean(*VIRTUAL)(tmp_path) == []


GUIDES = {
    "ispmail": (
        ROWS,
        {
            "virtual-domain-in-mydestination",
            "system-mail-into-virtual-domain",
            "catch-all-swallows-mailboxes",
        },
    ),
    "forwardings": (
        hashes(("HEX:128", False)),
        {
            "unsupported-parameter",
            "wrong-column-selected",
            "uid-below-first-valid",
            "scheme-does-not-fit",
            "reserved-word",
        },
    ),
    "hashfiles": (
        ROWS,
        {
            "catch-all-swallows-mailboxes",
            "uid-below-minimum",
            "defined-twice",
            "star-transport-takes-all",
            "two-maildir-layouts",
        },
    ),
    "guide2007": (
        replace(hashes(("DES-CRYPT", False)), mailboxes_behind_catch_all=("ben@example.org",)),
        {
            "virtual-alias-domains-default",
            "inactive-rows-answer",
            "legacy-sql-settings",
            "catch-all-swallows-mailboxes",
        },
    ),
    "postfixadmin": (
        hashes(("MD5-CRYPT", False)),
        {
            "relay-and-virtual",
            "pipe-needs-one-recipient",
            "percent-behind-letter",
            "scheme-does-not-fit",
            "relay-of-subdomains",
            "inactive-rows-answer",
            "no-alias-domain-catch-all",
            "sender-not-checked",
            "cram-md5-not-offered",
        },
    ),
}


@pytest.mark.parametrize("name", GUIDES)
def test_faults_of_published_guides_are_found(name, tmp_path):
    if (SAMPLES / name / "mailname").exists():
        shutil.copy(SAMPLES / name / "mailname", tmp_path)
    facts, expected = GUIDES[name]
    found = run_checks(configuration(tmp_path, postfix=name, dovecot=name, facts=facts))
    assert codes(found) == expected


# Correct configurations: stock files of Debian, and current guides

SOUND = {
    "debian12": (ROWS, {"parameter-not-set"}),  # no mailboxes yet
    "debian13": (ROWS, {"parameter-not-set"}),
    "ispmail-bookworm": (ROWS, set()),
    "ispmail-trixie": (ROWS, set()),
    "postfixadmin-documentation": (ROWS, set()),
    "modoboa": (ROWS, set()),
}


@pytest.mark.parametrize("has_rows", [True, False])
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_configuration_has_no_errors(name, has_rows, tmp_path):
    facts, expected = SOUND[name]
    facts = (
        replace(facts, alias_domains=frozenset({"branch.example"}))
        if has_rows
        else rows.EMPTY_FACTS
    )
    found = run_checks(configuration(tmp_path, postfix=name, dovecot=name, facts=facts))
    errors = [
        (each.check.code, str(each.fault.line), each.fault.about)
        for each in found
        if each.check.severity == "error" and each.check.code not in expected
    ]
    assert errors == []
    assert expected <= codes(found)
