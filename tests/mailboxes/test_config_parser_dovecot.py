"""Parsing of Dovecot's files, and what is shown of secrets."""

import re
from pathlib import Path

import pytest

from mailboxes.mailserver.config_parser import maps, sql
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from tests.mailboxes.parsed_files import SAMPLES, dovecot


def test_included_files_are_read_at_their_position(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/20-b.conf").write_text("b = 2\n")
    (tmp_path / "conf.d/10-a.conf").write_text("a = 1\nb = 1\n!include more.ext\n")
    (tmp_path / "conf.d/more.ext").write_text("c = 3\n")
    files = dovecot(tmp_path, dovecot="b = 0\n!include conf.d/*.conf\n!include_try no.conf\n")
    assert [files.value(name) for name in "abc"] == ["1", "2", "3"]
    assert files.get_line("c") == Line(f"{tmp_path}/conf.d/more.ext", 1, "c = 3")
    assert files.problems == []


def test_syntax_errors_of_dovecot_are_problems(tmp_path):
    text = "!include gone.conf\nnonsense\n}\nservice x {\n  a = 1\n{\n"
    files = dovecot(tmp_path, dovecot=text)
    assert [(problem.code, problem.line.number) for problem in files.problems] == [
        ("unreadable-file", 1),
        ("broken-line", 2),
        ("broken-line", 3),
        ("broken-line", 6),
        ("broken-line", 4),
    ]


def test_recursive_includes_terminate(tmp_path):
    files = dovecot(tmp_path, dovecot="!include dovecot.conf\n")
    assert {problem.code for problem in files.problems} == {"unreadable-file"}


def test_comments_quotes_and_backslashes(tmp_path):
    files = dovecot(
        tmp_path,
        dovecot='a = x # comment\nb = x#y\nc = "x # y"  # z\n'
        "d = one \\\n   two \\\n three\n#e = \\\nf = x\n",
    )
    assert [files.value(name) for name in "abcd"] == ["x", "x", "x # y", "one two three"]
    assert files.value("e") == ""
    assert files.get_line("d").number == 4


def test_blocks_on_one_line_are_read_although_dovecot_refuses_them(tmp_path):
    files = dovecot(
        tmp_path,
        dovecot="userdb prefetch { }\nouter { inner x { a = 1 } }\n"
        "passdb sql { driver = sql }\nb = {c}\n",
    )
    assert {(problem.code, problem.line.number) for problem in files.problems} == {
        ("broken-line", number) for number in (1, 2, 3)
    }
    assert files.blocks("userdb")[0].children == []
    assert files.blocks("outer")[0].blocks("inner")[0].value("a") == "1"
    assert files.blocks("passdb")[0].value("driver") == "sql"
    assert files.value("b") == "{c}"


def test_sql_files_of_a_copy_are_found_and_not_expanded():
    files = DovecotFiles(SAMPLES / "clean/dovecot")
    [passdb], [userdb] = files.passdbs(), files.userdbs()
    assert passdb.value("connect").endswith("password=pa$$word")
    assert passdb.value("default_pass_scheme") == "CRYPT"
    assert passdb.value("password_query").endswith(
        "FROM mailbox WHERE username = '%u' AND active = '1'"
    )
    assert userdb.get_line("user_query").number == 6
    assert passdb.get_line("connect").shown.endswith("user=dovecot password=********")


def test_dovecot_24_settings_give_the_same_result():
    files = DovecotFiles(SAMPLES / "modern/dovecot")
    assert files.is_version_2_4
    assert files.problems == []
    [passdb], [userdb] = files.passdbs(), files.userdbs()
    assert passdb.value("default_pass_scheme") == "CRYPT"
    assert passdb.value("password_query").endswith("username = '%{user}' AND active = '1'")
    assert userdb.value("iterate_query").startswith("SELECT username AS user")
    [database] = files.blocks("mysql")
    assert (database.name, database.value("dbname")) == ("127.0.0.1", "mail")
    assert files.blocks("userdb")[1].name == "prefetch"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, b FROM x",
        "  select distinct a AS b from x union all\n ( SELECT a, a FROM y WHERE a = 1 ) ",
        "SELECT a FROM (SELECT a FROM b) AS a UNION SELECT 'a, union' FROM a",
        "SELECT 1",
    ],
)
def test_the_columns_of_a_select_are_found_in_the_query(query):
    found = sql.parse_selects(query)
    assert [query[each.start : each.end] for each in found] == [each.columns for each in found]
    assert all(each.columns for each in found)


# Secrets


@pytest.mark.parametrize(
    "text, shown",
    [
        ("password = two words", "password = ********"),
        ("aliases_password = x", "aliases_password = ********"),
        ("bind_pw=x", "bind_pw=********"),
        ("nopassword = y", "nopassword = y"),
        ("doveadm_api_key = x", "doveadm_api_key = ********"),
        ("auth_policy_server_api_header = X-Key: x", "auth_policy_server_api_header = ********"),
        ("auth_policy_hash_nonce = x", "auth_policy_hash_nonce = ********"),
        ("connect = host=a password='b c' user=d", "connect = host=a password=******** user=d"),
        ("smtp_sasl_password_maps = inline:{a=b:c}", "smtp_sasl_password_maps = ********"),
        ("uri = mysql://bob:secret@db/mail", "uri = mysql://bob:********@db/mail"),
        ("query = SELECT password FROM mailbox", "query = SELECT password FROM mailbox"),
    ],
)
def test_passwords_are_not_shown(text, shown):
    assert Line("main.cf", 1, text).shown == shown


def test_text_in_braces_is_one_token():
    assert maps.split_words("a, {b c}  d:{e, {f}},g") == ["a", "{b c}", "d:{e, {f}}", "g"]


def test_parsing_needs_neither_postfix_dovecot_nor_django():
    source = Path(maps.__file__).parent
    for path in source.glob("*.py"):
        assert not re.search(r"\b(django|subprocess)\b", path.read_text()), path.name
