"""`mailserver upgrade`: what queries and their variables become."""

import pytest
from django.db import connection

from mailboxes.mailserver.converter.queries import convert_query
from mailboxes.mailserver.converter.variables import UnconvertibleValue, convert_variables

MAIL = """\
SELECT CASE WHEN maildir LIKE '%/' THEN {0} ELSE {1} END AS mail, {2} AS quota_rule FROM mailbox\
"""
JOINED = {
    "sqlite": (
        "'maildir:/v/' || maildir",
        "'mbox:/v/' || maildir || '.d:INBOX=/v/' || maildir",
        "'*:bytes=' || quota",
    ),
    "mysql": (
        "CONCAT('maildir:/v/', maildir)",
        "CONCAT('mbox:/v/', maildir, '.d:INBOX=/v/', maildir)",
        "CONCAT('*:bytes=', quota)",
    ),
}


@pytest.mark.django_db
def test_the_database_splits_locations_that_cannot_be_split_statically():
    vendor = connection.vendor
    source = "(SELECT 'a/' AS maildir, 5 AS quota UNION SELECT 'b', 6) AS mailbox"
    query = convert_query(MAIL.replace("'%/'", "'%%/'").format(*JOINED[vendor]), vendor)
    with connection.cursor() as cursor:
        cursor.execute(query.replace("FROM mailbox", f"FROM {source}").replace("%", "%%"), [])
        rows = sorted(cursor.fetchall())
    assert rows == [
        ("maildir", "/v/a/", ".", "5B"),
        ("mbox", "/v/b.d", "/v/b", "6B"),
    ]


@pytest.mark.parametrize(
    "column, expected",
    [
        (
            "'maildir:/v/%d/%n' AS mail",
            "'maildir' AS mail_driver,"
            " '/v/%{user | domain}/%{user | username}' AS mail_path, '.' AS mail_inbox_path",
        ),
        (
            "CONCAT('mdbox:/v/', m) AS mail",
            "'mdbox' AS mail_driver, CONCAT('/v/', m) AS mail_path, '' AS mail_inbox_path",
        ),
        ("'*:storage=1G' AS quota_rule", "'1G' AS quota_storage_size"),
        ("'*:bytes=5M' AS quota_rule", "'5M' AS quota_storage_size"),
        ("CONCAT('*:bytes=', q, 'MB') AS quota_rule", "CONCAT('', q, 'MB') AS quota_storage_size"),
        ("'*:storage=1000' AS quota_rule", "CONCAT('1000', 'k') AS quota_storage_size"),
        ("CONCAT('*:storage=', q, 'M') AS quota_rule", "CONCAT('', q, 'M') AS quota_storage_size"),
        (
            "CONCAT('*:storage=', q) AS quota_rule",
            "CONCAT(CONCAT('', q), 'k') AS quota_storage_size",
        ),
        ("home", "home"),
    ],
)  # fmt: skip
def test_a_field_is_converted_to_2_4(column, expected):
    made = convert_query(f"SELECT {column} FROM mailbox WHERE username = '%Lu'", "mysql")
    assert made == f"SELECT {expected} FROM mailbox WHERE username = '%{{user | lower}}'"


def test_a_location_of_unknown_content_may_name_a_variable():
    expression = "CONCAT(IF(a, 'maildir:/v/%d/', 'mbox:/v/'), m)"
    made = convert_query(f"SELECT {expression} AS mail FROM mailbox", "mysql")
    converted = expression.replace("%d", "%{user | domain}")
    assert f"CASE WHEN SUBSTRING_INDEX({converted}, ':', 1) = 'maildir' THEN '.'" in made


UNITED = "SELECT home, {0} FROM a WHERE x = '%u' UNION ALL (SELECT DISTINCT {0} FROM b)"


def test_each_select_of_a_query_is_converted():
    query = UNITED.format("CONCAT('maildir:',m) AS mail").replace("%u", "%d%u")
    made = "'maildir' AS mail_driver, CONCAT('',m) AS mail_path, '.' AS mail_inbox_path"
    expected = UNITED.format(made).replace("%u", "%{user | domain}%{user}")
    assert convert_query(query, "mysql") == expected


INHERITED = [
    ("'maildir:/v'", "'maildir++' AS mailbox_list_layout, '' AS mail_index_path"),
    ("'mdbox:/v'", "'fs' AS mailbox_list_layout, '' AS mail_index_path"),
]


@pytest.mark.parametrize("value, expected", INHERITED)
def test_a_user_with_their_own_location_inherits_nothing_of_mail_location(value, expected):
    made = convert_query(f"SELECT {value} AS mail FROM m", "mysql", "", {"INDEX", "LAYOUT"})
    for column in expected.split(", "):
        assert column in made


@pytest.mark.django_db
def test_the_database_resets_settings_of_mail_location():
    vendor = connection.vendor
    text = "SELECT mail AS mail, 1 AS uid FROM mailbox"
    source = "(SELECT 'maildir:/a' AS mail UNION SELECT 'mdbox:/b:INBOX=/c' UNION SELECT NULL)"
    query = convert_query(text, vendor, "", {"INDEX", "LAYOUT"})
    with connection.cursor() as cursor:
        cursor.execute(query.replace("FROM mailbox", f"FROM {source} AS mailbox"))
        rows = sorted(cursor.fetchall(), key=str)
    assert rows == [
        ("maildir", "/a", ".", "", "maildir++", 1),
        ("mdbox", "/b", "/c", "", "fs", 1),
        (None, None, None, None, None, 1),
    ]


@pytest.mark.parametrize(
    "column",
    [
        "'maildir:~/M:LAYOUT=fs' AS mail",
        "CONCAT('maildir:/v/', m, ':INDEX=/i/', m) AS mail",
        "'mdbox:/v:ALT=/w' AS mail",
        "CONCAT('/v/', m) AS mail",
        "IF(q, '*:storage=1G', '*:bytes=5') AS quota_rule",
        "*",
        "m.*, home",
        "CONCAT('*:bytes=', q) AS 'quota_rule'",
        "'Trash:storage=1G' AS quota_rule2",
        "'maildir:~/M' AS mail FROM a UNION SELECT CONCAT('maildir:', m)",
    ],
)
def test_a_field_that_cannot_be_converted_is_reported(column):
    with pytest.raises(UnconvertibleValue):
        convert_query(f"SELECT {column} FROM m", "mysql")


def test_a_stored_procedure_is_reported():
    with pytest.raises(UnconvertibleValue):
        convert_query("CALL user('%u')", "mysql")


@pytest.mark.parametrize("text", ["%1Mu", "%{login_user}", "%{if;a;eq;b;c;d}", "%q", "50 % of"])
def test_a_variable_without_a_replacement_is_reported(text):
    with pytest.raises(UnconvertibleValue):
        convert_variables(text)
