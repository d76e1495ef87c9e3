"""What columns hold, by their types and defaults as databases describe them."""

import datetime
from decimal import Decimal
from types import SimpleNamespace
from unittest import mock

import pytest

from mailadmin.db.column_facts import ColumnFacts, find_column_error
from mailadmin.db.custom_facts import build_facts
from mailboxes.models import Mailbox


def moment(year, month=1, day=1, hours=0):
    """Return midnight in the zone that has this offset."""
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    return datetime.datetime(year, month, day, tzinfo=zone)


EPOCH = moment(1970)
MARIADB = SimpleNamespace(vendor="mysql", mysql_is_mariadb=True)
MYSQL = SimpleNamespace(vendor="mysql", mysql_is_mariadb=False)
SQLITE = SimpleNamespace(vendor="sqlite")


@pytest.mark.parametrize(
    ("column_type", "fitting", "others"),
    [
        ("tinyint(4)", [-128, 127], [-129, 128]),
        ("smallint(5) unsigned", [0, 65535], [-1, 65536]),
        ("mediumint", [2**23 - 1], [2**23]),
        ("int(11)", [-(2**31), 2**31 - 1], [2**31]),
        ("int unsigned", [2**32 - 1], [2**32]),
        ("bigint(20)", [2**63 - 1], [2**63]),
        ("decimal(6,3)", [Decimal("-999.999"), 999], [Decimal(1000), -1000]),
        ("decimal(6,3) unsigned", [Decimal("0.5")], [Decimal("-0.5")]),
        ("varchar(3)", ["abc", "äöü"], ["abcd"]),
        ("char(3)", ["abc"], ["abcd"]),
        ("tinytext", ["x" * 255], ["x" * 256]),
        ("text", ["x" * 65535], ["x" * 65536, "ä" * 32768]),
        ("mediumtext", ["x" * 65536], []),
        ("datetime", [EPOCH, moment(1000), moment(9999)], [moment(1, hours=2)]),
        ("timestamp", [moment(1970, 1, 2), moment(2038)], [EPOCH, moment(1969), moment(2039)]),
    ],
)
def test_a_value_fits_or_is_refused(column_type, fitting, others):
    facts = {("mailbox", "name"): ColumnFacts("utf8mb4", column_type)}
    field = Mailbox._meta.get_field("name")
    with mock.patch("mailadmin.db.column_facts.load_column_facts", return_value=facts):
        assert [value for value in fitting if find_column_error(field, value)] == []
        assert [value for value in others if not find_column_error(field, value)] == []


@pytest.mark.parametrize(
    ("connection", "default", "extra", "text"),
    [
        (MARIADB, None, "", None),
        (MARIADB, "NULL", "", None),
        (MARIADB, "''", "", ""),
        (MARIADB, "'nobody\\'s'", "", "nobody's"),
        (MARIADB, "-1.50", "", "-1.50"),
        (MARIADB, "current_timestamp()", "", None),
        (MYSQL, None, "", None),
        (MYSQL, "", "", ""),
        (MYSQL, "nobody's", "", "nobody's"),
        (MYSQL, "3", "", "3"),
        (MYSQL, "CURRENT_TIMESTAMP", "DEFAULT_GENERATED", None),
        (SQLITE, "'nobody''s'", "", "nobody's"),
        (SQLITE, "3", "", "3"),
        (SQLITE, "CURRENT_TIMESTAMP", "", None),
    ],
)
def test_a_constant_is_read_as_each_database_writes_it(connection, default, extra, text):
    facts = build_facts(connection, "varchar(40)", 0, default, extra)
    assert (facts.default, facts.has_default) == (text, text is not None)
    assert not facts.is_generated


def test_a_computed_column_is_recognized():
    assert build_facts(MYSQL, "int", 1, None, "STORED GENERATED").is_generated
    assert build_facts(MARIADB, "int(11)", 1, "NULL", "VIRTUAL GENERATED").is_generated
