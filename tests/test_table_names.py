"""A database whose tables have other names than PostfixAdmin's, as its `database_tables` says."""

import pytest

from mailadmin.conf.table_names import build_table_name, parse_table_names
from mailboxes.mailserver.autoresponder.tables import AutoreplyDatabase
from tests.legacy_databases import Database

RENAMED = {"mailbox": "accounts", "alias": "forwards", "quota2": "usage_now", "vacation": "away"}
PREFIX = "pfa_"


@pytest.fixture(scope="module")
def renamed(mariadb):
    database = Database.of_shape(mariadb, "renamed", "3.3.13", prefix=PREFIX)
    for table, name in RENAMED.items():
        database.execute(f"RENAME TABLE `{PREFIX}{table}` TO `{PREFIX}{name}`")
    names = ",".join(f"{table}={name}" for table, name in RENAMED.items())
    database.environ["MAILADMIN_DATABASE_TABLES"] = names
    database.migrate()
    yield database
    database.drop()


@pytest.mark.mariadb
@pytest.mark.slow
def test_no_table_is_created_beside_those_with_other_names(renamed):
    tables = renamed.tables()
    assert {f"{PREFIX}{name}" for name in RENAMED.values()} <= set(tables)
    assert not {f"{PREFIX}{name}" for name in RENAMED} & set(tables)


@pytest.mark.mariadb
@pytest.mark.slow
def test_all_pages_work_on_them(renamed):
    people = ("root@example.net", "alice@example.org", "bob@example.org")
    for screens in renamed.open_screens(*people).values():
        assert {what: code for what, code in screens.items() if code not in range(200, 500)} == {}


@pytest.mark.mariadb
@pytest.mark.slow
def test_the_mail_servers_queries_name_them(renamed, tmp_path):
    folders = [f"--{name}={tmp_path}/{name}" for name in ("postfix", "dovecot")]
    renamed.panel("manage.py", "mailserver", "config", "--hostname=mx.example.net", *folders)
    text = "\n".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for table, name in RENAMED.items():
        assert f"{PREFIX}{name}" in text
        assert f"{PREFIX}{table}`" not in text
        assert f"{PREFIX}{table} " not in text
    assert "MAILADMIN_DATABASE_TABLES=mailbox=accounts" in text


def test_the_autoresponder_has_the_same_names():
    settings = {
        "MAILADMIN_TABLE_PREFIX": "p_",
        "MAILADMIN_DATABASE_TABLES": parse_table_names("vacation=away alias=forwards"),
    }
    tables = AutoreplyDatabase(None, None, settings).tables
    assert (tables["vacation"], tables["alias"]) == ("p_away", "p_forwards")
    assert build_table_name("mailbox", settings) == "p_mailbox"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("users=x", "not a table of PostfixAdmin"),
        ("mailbox", "not table=name"),
        ("mailbox=a-b", "not table=name"),
        ("mailbox=alias", "the same name"),
        ("mailbox=mailadmin_job", "cannot be the name"),
        (f"mailbox={'m' * 65}", "cannot be the name"),
    ],
)
def test_wrong_names_are_refused(value, text):
    with pytest.raises(ValueError, match=text):
        parse_table_names(value)
