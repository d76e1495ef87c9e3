"""The setting of custom columns, its check against the database, and tests with such columns."""

import os
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from mailadmin.conf.custom_columns import CustomColumn, parse_custom_columns
from mailadmin.db.custom_checks import iter_column_faults
from mailadmin.db.custom_columns import FIELDS
from mailadmin.db.custom_facts import CustomFacts
from tests.custom_columns import setting
from tests.started_panel import panel

CASES = "tests/custom_columns/case_"
TABLES = (
    "tests/domains/test_domains.py",
    "tests/mailboxes/test_mailboxes.py",
    "tests/mailboxes/test_aliases.py",
    "tests/mailboxes/transfer/test_plan.py",
    "tests/mailboxes/transfer/test_apply.py",
    "tests/mailadmin/backup/test_backup.py",
)


# The setting


def test_a_column_needs_no_more_than_its_name():
    assert parse_custom_columns("mailbox.x_cost_centre") == (
        CustomColumn("mailbox", "x_cost_centre", label="cost centre"),
    )
    assert parse_custom_columns("") == parse_custom_columns(" , ") == ()


def test_type_label_and_options_come_in_any_order():
    (column,) = parse_custom_columns('domain.x_site list "Building, floor" choice:"a b|c" filter')
    assert (column.label, column.kind, column.choices) == (
        "Building, floor",
        "choice",
        ("a b", "c"),
    )
    assert column.options == {"list", "filter"}
    (column,) = parse_custom_columns('domain.x_site filter choice:"a b|c" "Building, floor" list')
    assert column.label == "Building, floor"


def test_columns_have_commas_between_them_and_quoted_texts_may_hold_some():
    found = parse_custom_columns('mailbox.x_a "A, b",alias.x_a text:40 , domain.x_b decimal:3')
    assert [str(each) for each in found] == ["mailbox.x_a", "alias.x_a", "domain.x_b"]
    assert (found[1].length, found[2].places) == (40, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mailbox.department", "begin with x_"),
        ("mailbox.x__a", "begin with x_"),
        ("mailbox.X_a", "begin with x_"),
        ("mailbox.x_" + "a" * 63, "begin with x_"),
        ("admin.x_a", "not a column of domain, mailbox, alias"),
        ("x_a", "not a column of"),
        ('mailbox.x_a "A', "quotation mark"),
        ('mailbox.x_a ""', "empty label"),
        ('mailbox.x_a "A" "B"', "a label of mailbox.x_a more than once"),
        ("mailbox.x_a text integer", "a type of mailbox.x_a more than once"),
        ("mailbox.x_a list list", "the option list of mailbox.x_a more than once"),
        ("mailbox.x_a, mailbox.x_a", "names mailbox.x_a more than once"),
        ("mailbox.x_a number", "is none of text"),
        ("mailbox.x_a text:0", "no number from 1"),
        ("mailbox.x_a decimal:11", "no number from 0"),
        ("mailbox.x_a integer:3", "is none of text"),
        ("mailbox.x_a choice", "names no values"),
        ("mailbox.x_a choice:a||b", "names no values"),
        ("mailbox.x_a choice:a|a", "more than once"),
        ("mailbox.x_a boolean required", "required for mailbox.x_a"),
        ("mailbox.x_a integer search", "search for mailbox.x_a"),
        ("mailbox.x_a multiline list", "list for mailbox.x_a"),
        ("mailbox.x_a datetime filter", "filter for mailbox.x_a"),
        ("mailbox.x_a superadmins search", "search for mailbox.x_a"),
        ("mailbox.x_a superadmins read-only", "read-only for mailbox.x_a"),
    ],
)
def test_what_makes_no_sense_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_custom_columns(text)


def test_a_setting_without_sense_stops_the_start():
    stopped = panel("manage.py", "check", MAILADMIN_CUSTOM_COLUMNS="mailbox.department")
    assert stopped.returncode == 1
    assert stopped.stderr.startswith("mailadmin: MAILADMIN_CUSTOM_COLUMNS 'mailbox.department' ")


# The check against the database


@pytest.mark.parametrize(
    ("declared", "facts", "fault"),
    [
        ("text", CustomFacts("varchar(40)", True), ""),
        ("integer", CustomFacts("int(10) unsigned", False, "0", True), ""),
        ("boolean", CustomFacts("tinyint(1)", False, "0", True), ""),
        ("decimal:3", CustomFacts("decimal(6,3)", True), ""),
        ("choice:a|b", CustomFacts("enum('a','b','c')", True), ""),
        ("integer", CustomFacts("varchar(40)", True), "does not hold integer"),
        ("boolean", CustomFacts("int(11)", True), "does not hold boolean"),
        ("text", CustomFacts("blob", True), "does not hold text"),
        ("text", CustomFacts("json", True), "does not hold text"),
        ("decimal", CustomFacts("float", True), "does not hold decimal"),
        ("decimal", CustomFacts("decimal(6,3)", True), "write decimal:3"),
        ("choice:a|d", CustomFacts("enum('a','b')", True), "d is not a value"),
        ("text", CustomFacts("varchar(40)", False), "rows cannot be added"),
        ("text", CustomFacts("varchar(40)", True, is_generated=True), "computes this column"),
    ],
)
def test_a_column_of_another_type_is_found(declared, facts, fault):
    (custom,) = parse_custom_columns(f"mailbox.x_a {declared}")
    found = list(iter_column_faults(FIELDS[custom.kind](custom), facts))
    assert len(found) == bool(fault), found
    assert fault in "".join(found)


def test_the_database_is_compared_with_the_setting(tmp_path):
    environ = {"MAILADMIN_DATABASE_URL": f"sqlite:///{tmp_path}/mailadmin.sqlite3"}
    wrong = environ | {"MAILADMIN_CUSTOM_COLUMNS": "mailbox.x_floor integer"}
    check = ("manage.py", "check", "--database", "default")
    assert panel(*check, **wrong).returncode == 0, "a database without tables is brought up first"
    assert panel("manage.py", "migrate", "-v0", **environ).returncode == 0
    refused = panel(*check, **wrong)
    assert refused.returncode == 1
    assert (
        "MAILADMIN_CUSTOM_COLUMNS: mailbox.x_floor: the table mailbox has no such column. Add it,"
        " for example by ALTER TABLE mailbox ADD x_floor int" in refused.stderr
    )
    assert panel("manage.py", "check", **wrong).returncode == 0, "this asks no database"


def test_migrations_do_not_know_them(tmp_path):
    environ = {"MAILADMIN_DATABASE_URL": f"sqlite:///{tmp_path}/mailadmin.sqlite3"}
    environ |= {"MAILADMIN_CUSTOM_COLUMNS": setting.SETTING}
    assert panel("manage.py", "makemigrations", "--check", **environ).returncode == 0


# With such columns


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (setting.SETTING, [f"{CASES}pages.py", f"{CASES}api.py", f"{CASES}files.py"]),
        (setting.REQUIRED_SETTING, [f"{CASES}required.py"]),
        (setting.PLAIN_SETTING, TABLES),
    ],
    ids=["all kinds", "required", "tables"],
)
def test_with_custom_columns(text, files):
    """Run other tests in a process whose models have custom columns."""
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        env=os.environ | {"TEST_CUSTOM_COLUMNS": text},
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
