"""The documentation: its commands work."""

import os

import pytest

from tests import documentation
from tests.base import PASSWORD
from tests.documented_commands import (
    COMMANDS,
    NOT_RUN,
    PREPARED,
    ROOT,
    RUN_HERE,
    TESTED_BY,
    Shell,
    find_listed,
    prepare_files,
)
from tests.started_panel import panel


@pytest.mark.parametrize("page", dict.fromkeys(each.page for each in RUN_HERE))
@pytest.mark.django_db(transaction=True)
def test_the_commands_of_a_page_work_in_their_order(
    page, live_server, tmp_path, monkeypatch, capsys, settings
):
    settings.MAILADMIN_MAIL_HOST = "mail.example.net"  # the page on mail programs sets it
    monkeypatch.chdir(tmp_path)
    prepare_files(tmp_path)
    shell = Shell(tmp_path, live_server.url, capsys)
    for text in PREPARED.get(page, []):
        shell.run(f"mailadmin {text}")
    for each in RUN_HERE:
        if each.page == page:
            shell.run(each.text)


def test_a_command_that_does_not_work_fails(tmp_path, capsys, db):
    shell = Shell(tmp_path, "", capsys)
    with pytest.raises(AssertionError):
        shell.run("mailadmin domain show no.example")
    with pytest.raises(AssertionError, match="is run by no test"):
        shell.run("frobnicate --all")
    with pytest.raises(SystemExit, match="MAILADMIN_BIND"):
        shell.run("export MAILADMIN_BIND=nonsense")


@pytest.mark.parametrize("place", dict.fromkeys(TESTED_BY.values()))
def test_commands_tested_elsewhere_have_that_test(place):
    path, _colons, name = place.partition("::")
    assert name in (ROOT / path).read_text("utf-8"), place


def test_every_listed_command_is_on_a_page():
    texts = [each.text for each in COMMANDS]
    listed = [*TESTED_BY, *NOT_RUN]
    unused = set(listed) - {find_listed(text, listed) for text in texts}
    assert unused == set()


def test_programs_of_the_repository_exist_and_are_executable():
    found = {each.text.split()[0] for each in COMMANDS}
    ours = {word for word in found if word.startswith(("tests/", "deploy/"))}
    assert [word for word in ours if not os.access(ROOT / word, os.X_OK)] == []


@pytest.mark.mariadb
def test_the_account_of_the_readme_can_migrate_a_database(mariadb, empty_database):
    """README and docs have the same statements; the account gets no other rights."""
    (readme, (*adopting, dropping)) = (
        [each.text for each in documentation.find_commands("sql") if each.page == page]
        for page in ("README.md", "docs/adopting-postfixadmin.md")
    )
    assert readme == adopting
    assert dropping.startswith("DROP USER")  # at the end of the way back
    name = empty_database.rpartition("/")[2].partition("?")[0]
    account = f"'docs_{os.getpid()}'@'127.0.0.1'"
    for statement in readme:
        statement = statement.replace("'mailadmin'@'localhost'", account)
        mariadb.execute(statement.replace("…", PASSWORD).replace(" postfix.", f" `{name}`."))
    url = f"mysql://docs_{os.getpid()}:{PASSWORD}@127.0.0.1:{mariadb.port}/{name}"
    migrated = panel("manage.py", "migrate", "--verbosity", "0", MAILADMIN_DATABASE_URL=url)
    mariadb.execute(f"DROP USER {account}")
    assert migrated.returncode == 0, migrated.stderr


def test_commands_are_split_at_lines_and_rid_of_comments():
    block = "one --x   # why\n\n# nothing\ntwo \\\n    --y '#3'\n"
    assert documentation.split_commands(block) == ["one --x", "two --y '#3'"]
    text = "1. Do:\n\n   ```sh\n   one\n   ```\n"
    assert documentation.blocks(text) == [("sh", "one\n")]
