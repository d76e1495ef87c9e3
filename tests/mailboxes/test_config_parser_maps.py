"""Parsing of maps and of their SQL."""

from mailboxes.mailserver.config_parser import sql
from tests.mailboxes.parsed_files import postfix


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
