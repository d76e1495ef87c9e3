"""Parsing of Postfix and Dovecot configurations, with the line of each value."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from mailboxes.mailserver.config_parser import maps, sql
from mailboxes.mailserver.config_parser.defaults import POSTFIX_DEFAULTS
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.postfix import PostfixFiles
from tests.servers import command

SAMPLES = Path(__file__).parent / "configurations"
POSTFIXES = sorted(path.parent.name for path in SAMPLES.glob("*/postfix"))


def postfix(folder, main_cf="", master_cf=""):
    (folder / "main.cf").write_text(main_cf)
    (folder / "master.cf").write_text(master_cf)
    for name in ("main.cf", "master.cf"):
        os.utime(folder / name, (0, 0))  # Postfix waits until a file has not changed for a while
    return PostfixFiles(folder)


def output_of(program, *arguments):
    ended = subprocess.run([command(program), *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def postconf(folder, *arguments):
    return output_of("postconf", "-c", str(folder), *arguments)


def squeezed(text):
    """Normalize white space, which postconf folds differently."""
    return " ".join(text.split())


# Postfix


@pytest.mark.mailserver
@pytest.mark.parametrize("name", POSTFIXES)
def test_values_match_postconf(name):
    folder = SAMPLES / name / "postfix"
    files = PostfixFiles(folder)
    names = sorted({*POSTFIX_DEFAULTS, *files.settings, "myhostname", "mydomain", "mynetworks"})
    lines = postconf(folder, "-x", *names).splitlines()
    expected = {
        name: squeezed(value) for name, _is, value in (line.partition(" =") for line in lines)
    }
    if not files.is_set("mynetworks"):  # of the machine, not of the folder
        networks = expected.pop("mynetworks")
        expected["proxy_read_maps"] = squeezed(expected["proxy_read_maps"].replace(networks, ""))
    assert {name: squeezed(files.value(name)) for name in expected} == expected
    assert len(expected) > len(POSTFIX_DEFAULTS)


@pytest.mark.mailserver
@pytest.mark.parametrize("name", POSTFIXES)
def test_services_match_postconf(name):
    folder = SAMPLES / name / "postfix"
    files = PostfixFiles(folder)
    expected = [line.split()[:8] for line in postconf(folder, "-M").splitlines()]
    assert [list(service.fields) for service in files.services] == expected
    for service in files.services:
        for option, setting in service.options.items():
            line = postconf(folder, "-P", f"{service.name}/{service.type}/{option}")
            assert squeezed(line.partition("=")[2]) == squeezed(setting.value)


@pytest.mark.mailserver
def test_defaults_match_postfix():
    expected = dict(
        line.split(" = ", 1) for line in output_of("postconf", "-d").splitlines() if " = " in line
    )
    assert {name: expected[name] for name in POSTFIX_DEFAULTS} == POSTFIX_DEFAULTS


EXPANSIONS = {
    "plain": "$base and ${base} and $(base)",
    "dollar": "pa$$word",
    "undefined": "[$nobody_set_this]",
    "set": "${base?yes}-${empty?yes}",
    "unset": "${base:no}-${empty:no}",
    "either": "${base?{yes}:{no}}-${empty?{yes}:{no}}",
    "nested": "${empty?{a}:{${base?{$base}:{c}}}}",
    "equal": "${{$base} == {/mail} ? {same} : {other}}",
    "numbers": "${{9} < {10} ? {less} : {more}}",
    "words": "${{b9} < {b10} ? {less} : {more}}",
    "mixed": "${{9} < {b} ? {less} : {more}}",
    "unequal": "${{$base} != {} ? {full}}",
    "old": "${{$compatibility_level} <level {3.6} ? {old} : {new}}",
    "new": "${{$compatibility_level} >=level {3.10} ? {new} : {old}}",
    "chain": "$chain/$base",
    "followed": "$base.cf",
}


@pytest.mark.mailserver
@pytest.mark.parametrize("name", EXPANSIONS)
def test_parameters_in_values_are_expanded_like_postfix(name, tmp_path):
    lines = ["compatibility_level = 3.9", "base = /mail", "empty ="]
    lines += ["chain = ${empty:$base/x}"]
    files = postfix(tmp_path, "\n".join([*lines, f"myorigin = {EXPANSIONS[name]}", ""]))
    expected = postconf(tmp_path, "-x", "-h", "myorigin")
    assert files.value("myorigin") == expected.rstrip("\n")


def test_a_value_that_names_itself_is_empty_and_known(tmp_path):
    files = postfix(tmp_path, "a = $b\nb = x $a\nc = fine\n")
    assert files.value("a") == ""
    assert [setting.name for setting in files.find_recursive_settings()] == ["a", "b"]


def test_lines_continue_after_comments_and_empty_lines(tmp_path):
    files = postfix(
        tmp_path, "# first\n\nmydestination = one,\n# amidst\n\n\ttwo\n  three\nmyorigin=x\n"
    )
    assert files.words("mydestination") == ["one", "two", "three"]
    assert files.get_line("mydestination", "two") == Line(f"{tmp_path}/main.cf", 6, "\ttwo")
    assert files.get_line("myorigin").number == 8
    assert files.get_line("relayhost") == Line(f"{tmp_path}/main.cf", 0, "")


def test_the_last_line_wins_and_earlier_ones_are_reported(tmp_path):
    files = postfix(tmp_path, "myorigin = a\nmydomain = b\nmyorigin = c\n")
    assert files.value("myorigin") == "c"
    assert [setting.line.number for setting in files.find_duplicates()] == [1]


def test_mydomain_is_derived_from_myhostname(tmp_path):
    files = postfix(tmp_path, "myhostname = mx1.hosting.example\n")
    assert files.value("mydomain") == "hosting.example"
    assert files.value("mydestination") == (
        "mx1.hosting.example, localhost.hosting.example, localhost"
    )


def test_overrides_of_a_service_apply(tmp_path):
    files = postfix(
        tmp_path,
        "smtpd_sender_restrictions = permit\nmua = reject_sender_login_mismatch\n",
        "smtp inet n - y - - smtpd\n"
        "submission inet n - y - - smtpd -o smtpd_sasl_auth_enable=yes\n"
        "  -o { smtpd_sender_restrictions = $mua, reject }\n",
    )
    submission = files.service("submission")
    view = files.for_service(submission)
    assert view.is_yes("smtpd_sasl_auth_enable")
    assert view.words("smtpd_sender_restrictions") == ["reject_sender_login_mismatch", "reject"]
    assert view.get_line("smtpd_sender_restrictions").number == 3
    assert files.words("smtpd_sender_restrictions") == ["permit"]
    assert submission.line.number == 2
    assert files.service("submission", "unix") is None


def test_flags_of_a_pipe_are_parsed(tmp_path):
    files = postfix(
        tmp_path, "", "lda unix - n n - - pipe flags=DRhu user=vmail\n argv=/bin/lda ${recipient}\n"
    )
    assert files.service("lda").flags == {"flags": "DRhu", "user": "vmail", "argv": "/bin/lda"}


def test_missing_and_broken_files_are_reported_as_problems(tmp_path):
    files = PostfixFiles(tmp_path / "nowhere")
    assert files.value("virtual_transport") == "virtual"
    assert {problem.code for problem in files.problems} == {"unreadable-file"}
    files = postfix(tmp_path, "no setting\n= x\nmyorigin = x\n", "smtp inet n\n")
    assert [(p.code, p.line.text) for p in files.problems] == [
        ("broken-line", "no setting"),
        ("broken-line", "= x"),
        ("broken-line", "smtp inet n"),
    ]
    assert files.value("myorigin") == "x"


def test_control_characters_are_read_and_escaped_in_output(tmp_path):
    postfix(tmp_path)
    (tmp_path / "main.cf").write_bytes(b"myorigin = \xff\xfe\x1b[31m\n")
    files = PostfixFiles(tmp_path)
    assert files.value("myorigin") == "\udcff\udcfe\x1b[31m"
    assert files.get_line("myorigin").shown == "myorigin = ���[31m"


# Maps


def texts(found):
    return [(reference.type, reference.name, reference.proxied) for reference in found]


def test_maps_are_distinguished_from_names_restrictions_and_addresses(tmp_path):
    files = postfix(
        tmp_path,
        "smtpd_recipient_restrictions = check_recipient_access hash:/etc/postfix/access,\n"
        "  check_policy_service inet:127.0.0.1:10023,\n"
        "  { check_sender_access pcre:/etc/postfix/p },\n"
        "  reject_unauth_destination\n"
        "mynetworks = 127.0.0.0/8 [::1]/128 !cidr:/etc/postfix/nets\n",
    )
    assert texts(files.maps("smtpd_recipient_restrictions")) == [
        ("hash", "/etc/postfix/access", False),
        ("pcre", "/etc/postfix/p", False),
    ]
    [nets] = files.maps("mynetworks")
    assert (nets.type, nets.is_negated) == ("cidr", True)


def test_nested_maps_are_parsed(tmp_path):
    files = postfix(
        tmp_path,
        "virtual_alias_maps = proxy:mysql:/a.cf,\n"
        "  pipemap:{hash:/b, unionmap:{inline:{x=y}, proxy:sqlite:/c.cf}}\n"
        "  static:{a b}\n",
    )
    outer = files.maps("virtual_alias_maps")
    assert [reference.type for reference in outer] == ["mysql", "pipemap", "static"]
    assert texts(files.all_maps("virtual_alias_maps")) == [
        ("mysql", "/a.cf", True),
        ("pipemap", "{hash:/b, unionmap:{inline:{x=y}, proxy:sqlite:/c.cf}}", False),
        ("hash", "/b", False),
        ("unionmap", "{inline:{x=y}, proxy:sqlite:/c.cf}", False),
        ("inline", "{x=y}", False),
        ("sqlite", "/c.cf", True),
        ("static", "{a b}", False),
    ]
    assert [reference.line.number for reference in outer] == [1, 2, 3]


def test_an_unclosed_brace_is_not_a_map(tmp_path):
    files = postfix(tmp_path, "a = { hash:/x, hash:/y\nb = unionmap:{hash:/z\nc = {hash:/w}\n")
    assert files.all_maps("a") == []
    assert [reference.type for reference in files.all_maps("b")] == ["unionmap"]
    assert [reference.name for reference in files.all_maps("c")] == ["/w"]


def test_inline_maps_are_parsed_like_postfix(tmp_path):
    files = postfix(tmp_path, "virtual_alias_maps = inline:{ a=b, {c@d = e f}, g = {h} }\n")
    [inline] = files.maps("virtual_alias_maps")
    assert inline.pairs[:2] == [("a", "b"), ("c@d", "e f")]


def test_entries_of_a_text_map_have_their_lines(tmp_path):
    files = postfix(tmp_path, "virtual_alias_maps = texthash:$config_directory/virtual\n")
    (tmp_path / "virtual").write_text(
        "# who\na@example.org bob@example.org,\n  alice@example.org\nx y\n"
    )
    [reference] = files.maps("virtual_alias_maps")
    found = [(key, value.split(), line.number) for key, value, line in files.entries(reference)]
    assert found == [
        ("a@example.org", ["bob@example.org,", "alice@example.org"], 2),
        ("x", ["y"], 4),
    ]


def test_domain_lists_may_contain_files_maps_and_names(tmp_path):
    files = postfix(
        tmp_path,
        "mydestination = Localhost, $config_directory/more,\n"
        "  texthash:$config_directory/table !no.example\n",
    )
    (tmp_path / "more").write_text("one.example\n# two\nthree.example\n")
    (tmp_path / "table").write_text("four.example anything\n")
    names = [
        (name, line.file.rpartition("/")[2], line.number)
        for name, line in files.names("mydestination")
    ]
    assert names == [
        ("localhost", "main.cf", 1),
        ("one.example", "more", 1),
        ("three.example", "more", 3),
        ("four.example", "table", 1),
    ]


def test_a_copied_folder_is_read_instead_of_the_local_one(tmp_path):
    copy = tmp_path / "etc/postfix"
    (copy / "sql").mkdir(parents=True)
    (tmp_path / "etc/mailname").write_text("mail.example\n")
    files = postfix(
        copy, "virtual_alias_maps = mysql:/etc/postfix/sql/a.cf\nmyorigin = /etc/mailname\n"
    )
    (copy / "sql/a.cf").write_text("query = SELECT 1\nhosts = a b\n")
    [(reference, found)] = files.sql_maps("virtual_alias_maps")
    assert files.get_map_path(reference) == copy / "sql/a.cf"
    assert found.query == "SELECT 1"
    assert [name for name, _line in files.names("myorigin")] == ["mail.example"]


# SQL maps


def sql_map(folder, text):
    files = postfix(folder, "virtual_alias_maps = mysql:$config_directory/a.cf\n")
    (folder / "a.cf").write_text(text)
    return files.sql_maps("virtual_alias_maps")[0][1]


def test_settings_and_lines_of_an_sql_map_are_parsed(tmp_path):
    found = sql_map(
        tmp_path,
        "hosts = unix:/run/mysqld/mysqld.sock, db2\nuser = postfix\npassword = $x{y}\n"
        "dbname = mail\n"
        "domain = example.org, example.com\nquery = SELECT goto\n  FROM alias\n",
    )
    assert found.hosts == ["unix:/run/mysqld/mysqld.sock", "db2"]
    assert found.value("password") == "$x{y}"  # nothing is replaced in these files
    assert found.domains == ["example.org", "example.com"]
    assert found.query == "SELECT goto  FROM alias"
    assert (found.value("result_format"), found.is_legacy) == ("%s", False)
    assert (found.query_line.number, found.get_line("password").number) == (6, 3)
    assert found.get_line("password").shown == "password = ********"


def test_the_legacy_query_settings_are_combined(tmp_path):
    found = sql_map(
        tmp_path,
        "table = alias\nselect_field = goto\nwhere_field = address\n"
        "additional_conditions = and active = '1'\n",
    )
    assert found.is_legacy
    assert found.query == "SELECT goto FROM alias WHERE address = '%s' and active = '1'"


def test_an_sql_map_may_be_defined_in_main_cf(tmp_path):
    files = postfix(
        tmp_path,
        "db = mail\nvirtual_alias_maps = mysql:aliases\naliases_dbname = $db\n"
        "aliases_query = SELECT goto FROM alias\n",
    )
    found = files.sql_maps("virtual_alias_maps")[0][1]
    assert (found.value("dbname"), found.query) == ("mail", "SELECT goto FROM alias")
    assert found.get_line("query").number == 4


def test_a_missing_sql_map_is_a_problem(tmp_path):
    files = postfix(tmp_path, "virtual_alias_maps = mysql:$config_directory/a.cf\n")
    [(_reference, found)] = files.sql_maps("virtual_alias_maps")
    assert [problem.code for problem in found.problems] == ["unreadable-file"]
    assert found.query == ""


# Queries


def test_a_query_is_parsed():
    [one, other] = sql.parse_selects(
        "(SELECT CONCAT(a.goto, ',', 'from where') AS goto FROM pa_alias a JOIN `alias_domain` ad"
        " ON ad.target_domain = a.domain WHERE a.active = '1' AND ad.alias_domain = '%d')"
        " UNION ALL SELECT username FROM mail.mailbox WHERE active='1' AND x = 'union'"
    )
    assert one.columns == "CONCAT(a.goto, ',', 'from where') AS goto"
    assert one.tables == {"a": "pa_alias", "ad": "alias_domain"}
    assert (one.mentions_column("active", "a"), one.mentions_column("active", "ad")) == (
        True,
        False,
    )
    assert other.tables == {"mailbox": "mailbox"}
    assert other.mentions_column("active", "mailbox")
    assert not other.mentions_column("union")


def test_selected_columns_have_names():
    columns = "'/var/mail/%d'as home, CONCAT('a,b', maildir) AS mail, m.uid, 5000 AS `gid`"
    assert sql.parse_columns(columns) == [
        ("'/var/mail/%d'", "home"),
        ("CONCAT('a,b', maildir)", "mail"),
        ("m.uid", "uid"),
        ("5000", "gid"),
    ]


# Dovecot


def dovecot(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text)
    return DovecotFiles(folder)


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
