"""The same calls of `postfixadmin-cli`, by PostfixAdmin and by the panel, on a database each."""

import datetime
import re
import shlex
import subprocess
import sys

import pytest

from mailadmin.conf import BASE_DIR
from tests.legacy_databases import Database, environment
from tests.postfixadmin import PostfixAdmin
from tests.programs import command

pytestmark = [pytest.mark.slow, pytest.mark.mariadb]

SECRET = "violet-Kettle-4417"
MAILBOX = f"--password {SECRET} --password2 {SECRET} --welcome-mail n"
DOMAIN = "--default-aliases n --password-expiry"
CALLS = f"""
help
domain help
domain view help
domain add help
mailbox delete help
alias scheme help
domain foo x
foo add x
domain add a.example --description "A b" --aliases 5 --mailboxes 6 {DOMAIN} 90
domain add a.example
domain add b.example --aliases 0 --mailboxes 0 --active n --backupmx y {DOMAIN} 0
domain add -bad-
domain add bad_domain
domain add c.example --nonsense 1
domain update a.example --description New --active 0
domain update nope.example --active 1
domain view a.example
domain view nope.example
domain update a.example -active y
mailbox add bob@a.example {MAILBOX} --name "Bob B" --quota 100
mailbox add bob@a.example {MAILBOX}
mailbox add zoe@a.example {MAILBOX} --active n
mailbox add eve@a.example --password {SECRET} --password2 other --welcome-mail n
mailbox add eve@a.example --password x --password2 x --welcome-mail n
mailbox add eve@a.example --welcome-mail n
mailbox add eve@nope.example {MAILBOX}
mailbox update bob@a.example --name Robert --quota 50 --active n
mailbox update bob@a.example --password {SECRET}
mailbox update bob@a.example --domain b.example
mailbox view bob@a.example
mailbox view x@a.example
mailbox update bob@a.example --active Y
alias add info@a.example --goto bob@a.example,x@elsewhere.example
alias add info@a.example --goto bob@a.example
alias add none@a.example
alias add bad@a.example --goto "not an address"
alias add *@a.example --goto bob@a.example
alias view @a.example
alias update info@a.example --goto bob@a.example --active n
alias update bob@a.example --goto x@elsewhere.example --goto-mailbox y
alias update zoe@a.example --goto x@elsewhere.example --goto-mailbox 0
alias view info@a.example
alias view bob@a.example
alias delete zoe@a.example
aliasdomain add b.example --target-domain a.example
aliasdomain add a.example --target-domain b.example
aliasdomain update b.example --active n
aliasdomain view b.example
admin add alice@a.example --password {SECRET} --password2 {SECRET} --domains a.example,b.example
admin add root@a.example --password {SECRET} --password2 {SECRET} --superadmin y
admin add mia@a.example --password {SECRET} --password2 {SECRET} --domains a.example
admin update alice@a.example --domains a.example --active n
admin view alice@a.example
admin view root@a.example
admin delete mia@a.example
admin delete mia@a.example
mailbox delete zoe@a.example
alias delete info@a.example
alias delete info@a.example
aliasdomain delete b.example
domain delete b.example
domain delete nope.example
"""
# Table → the columns that both have to write alike; moments and hashes differ.
COLUMNS = {
    "domain": "domain description aliases mailboxes transport backupmx active password_expiry",
    "alias": "address goto domain active",
    "mailbox": "username name maildir quota local_part domain active",
    "admin": "username superadmin active",
    "domain_admins": "username domain active",
    "alias_domain": "alias_domain target_domain active",
}
# What the panel shows besides: PostfixAdmin has it by its configuration, or in a later version.
MORE_LABELS = {"Mailbox Quota (MB)", "Domain Quota", "Transport", "Description"}
MORE_LABELS |= {"Deliver to the local mailbox."}


@pytest.fixture(scope="module")
def theirs(mariadb):
    mariadb.create("cli_theirs")
    database = Database(mariadb, "cli_theirs")
    database.migrate()
    with PostfixAdmin(mariadb, database.name) as postfixadmin:
        yield database, [command("php"), "scripts/postfixadmin-cli.php"], postfixadmin.place
    database.drop()


@pytest.fixture(scope="module")
def ours(mariadb):
    mariadb.create("cli_ours")
    database = Database(mariadb, "cli_ours")
    database.migrate()
    yield database, [sys.executable, "manage.py", "postfixadmin-cli"], BASE_DIR
    database.drop()


def call(program, line, answers=""):
    database, words, folder = program
    environ = environment(MAILADMIN_DATABASE_URL=database.server.url(database.name))
    return subprocess.run(
        [*words, *shlex.split(line)],
        cwd=folder,
        env=environ,
        input=answers,
        capture_output=True,
        text=True,
    )


def view_lines(output):
    """Return value by label; the day is "recent", as midnight may lie between two calls."""
    today = datetime.datetime.now(datetime.UTC).date()
    recent = {str(today), str(today - datetime.timedelta(days=1))}
    lines = re.findall(r"^ *([^:\n]+): (.*)$", output, re.M)
    return {label: "recent" if value in recent else value for label, value in lines}


def rows(program):
    database = program[0]
    return {
        table: sorted(database.rows(f"SELECT {', '.join(columns.split())} FROM {table}"))
        for table, columns in COLUMNS.items()
    }


def log_lines(program):
    return sorted(program[0].rows("SELECT action, data FROM log"))


@pytest.fixture(scope="module")
def called(theirs, ours):
    """Each call, with what both programs answered."""
    return [(line, call(theirs, line), call(ours, line)) for line in CALLS.strip().splitlines()]


def test_the_exit_status_is_the_same(called):
    statuses = {line: (a.returncode, b.returncode, b.stderr) for line, a, b in called}
    assert {line: found for line, found in statuses.items() if found[0] != found[1]} == {}


def test_errors_are_told_apart_from_output(called):
    for line, _theirs, mine in called:
        assert bool(mine.stderr) == mine.stderr.startswith("Error: "), line
    by_line = {line: (a.stderr, b.stderr) for line, a, b in called}
    for line in ("domain add c.example --nonsense 1", "domain foo x", "foo add x"):
        assert by_line[line][0].strip() == by_line[line][1].strip(), line
    passwords = f"mailbox add eve@a.example --password {SECRET} --password2 other --welcome-mail n"
    assert by_line[passwords][0].strip() == by_line[passwords][1].strip()


def test_view_has_the_lines_that_scripts_read(called):
    views = [(line, a, b) for line, a, b in called if " view " in line and not a.returncode]
    assert len(views) > 8
    for line, their, mine in views:
        if "help" in line:
            continue
        expected, found = view_lines(their.stdout), view_lines(mine.stdout)
        assert {label: found.get(label) for label in expected} == expected, line
        assert found.keys() - expected.keys() <= MORE_LABELS, line


def test_a_change_is_reported_in_the_same_words(called):
    for line, their, mine in called:
        if line.split()[1:2] in (["add"], ["update"], ["delete"]) and not their.returncode:
            # PHP's own warnings are no words of PostfixAdmin; one deletion names the target too.
            words = re.sub(r"\n(Warning|Deprecated): .*\n", "", their.stdout)
            assert mine.stdout == words.replace(" -> a.example", ""), line


def test_the_rows_are_the_same(called, theirs, ours):
    assert rows(ours) == rows(theirs)
    assert rows(ours)["mailbox"] == [
        ("bob@a.example", "Robert", "a.example/bob/", "51200000", "bob", "a.example", "1")
    ]


def test_every_change_of_postfixadmin_is_in_the_panels_log_too(called, theirs, ours):
    of_mailboxes = {("create_alias", f"{name}@a.example") for name in ("bob", "zoe")}
    assert set(log_lines(theirs)) - set(log_lines(ours)) == of_mailboxes


# Without an address


def test_what_is_asked_for_may_be_answered_in_a_pipe(ours, called):
    done = call(ours, "domain add", "c.example\nAsked\n0\n0\n0\n0\nvirtual\nn\ny\nn\n0\n")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = ours[0].rows("SELECT description, active FROM domain WHERE domain = 'c.example'")
    assert row == ("Asked", "1")
    done = call(ours, "alias add", "post@c.example\n\nx@elsewhere.example\n\nmaybe\ny\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Invalid input" in done.stdout
    done = call(ours, "domain update", "c.example\n\n\n\n\n\n\n\nn\n\n")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = ours[0].rows("SELECT description, active FROM domain WHERE domain = 'c.example'")
    assert row == ("Asked", "0")
    assert call(ours, "domain delete", "c.example\nn\n").returncode == 0
    assert ours[0].rows("SELECT 1 FROM domain WHERE domain = 'c.example'")
    assert call(ours, "domain delete", "c.example\ny\n").returncode == 0
    assert not ours[0].rows("SELECT 1 FROM domain WHERE domain = 'c.example'")


@pytest.mark.parametrize("line", ["domain view", "domain add", "domain update", "domain delete"])
def test_an_end_of_the_input_is_status_1(theirs, ours, called, line):
    assert call(ours, line).returncode == call(theirs, line).returncode == 1


def test_the_table_is_printed_as_sql_and_not_changed(ours, called):
    before = ours[0].structure()
    done = call(ours, "mailbox scheme")
    assert done.returncode == 0
    assert "CREATE TABLE `mailbox`" in done.stdout
    assert ours[0].structure() == before
