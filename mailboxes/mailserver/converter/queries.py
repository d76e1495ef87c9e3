"""Convert queries of passdbs and userdbs: variables, and the fields quota_rule and mail."""

import re
from collections.abc import Collection
from typing import NamedTuple

from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.converter.locations import (
    LOCATION_OPTIONS,
    MAILDIR_DRIVER,
    find_options,
    get_default_inbox,
    get_default_option,
)
from mailboxes.mailserver.converter.variables import (
    AUTH_LETTER_VARIABLES,
    UnconvertibleValue,
    convert_variables,
)

QUOTA_PREFIX_RE = re.compile(r"'\*:(bytes|storage)=")
# `… || 'M'`, `'*:storage=1G'`: the text ends in a unit.
UNIT_SUFFIX_RE = re.compile(r"[\d'\s][BKMGT]B?'\s*\)*\s*$", re.IGNORECASE)
SELECT_RE = re.compile(r"[\s(]*select\b", re.IGNORECASE)
QUOTED_ALIAS_RE = re.compile(r"\bas\s*'\w+'\s*$", re.IGNORECASE)
LOCATION_DRIVER_RE = re.compile(r"'(maildir|mbox|mdbox|sdbox):", re.IGNORECASE)
LOCATION_LITERAL_RE = re.compile(r"^(concat\s*\(\s*)?'(maildir|mbox|mdbox|sdbox):", re.IGNORECASE)


class LocationSQL(NamedTuple):
    """SQL templates of a database that append text, and extract the parts of a location."""

    joined: str
    driver: str
    path: str
    inbox: str


BEFORE_COLON_SQL = "SUBSTRING_INDEX({0}, ':', 1)"
AFTER_COLON_SQL = "SUBSTR({0}, INSTR({0}, ':') + 1)"
AFTER_INBOX_SQL = "SUBSTR({0}, INSTR({0}, ':INBOX=') + 7)"
LOCATION_SQL = {
    "mysql": LocationSQL(
        "CONCAT({0}, '{1}')",
        BEFORE_COLON_SQL,
        "SUBSTRING_INDEX(SUBSTRING_INDEX({0}, ':', 2), ':', -1)",
        "CASE WHEN LOCATE(':INBOX=', {0}) > 0 THEN"
        " SUBSTRING_INDEX(SUBSTRING_INDEX({0}, ':INBOX=', -1), ':', 1) END",
    ),
    "pgsql": LocationSQL(
        "({0} || '{1}')",
        "split_part({0}, ':', 1)",
        "split_part({0}, ':', 2)",
        "NULLIF(split_part(split_part({0}, ':INBOX=', 2), ':', 1), '')",
    ),
    "sqlite": LocationSQL(
        "({0} || '{1}')",
        "SUBSTR({0}, 1, INSTR({0}, ':') - 1)",
        f"SUBSTR({AFTER_COLON_SQL}, 1, INSTR({AFTER_COLON_SQL} || ':', ':') - 1)",
        f"CASE WHEN INSTR({{0}}, ':INBOX=') > 0 THEN"
        f" SUBSTR({AFTER_INBOX_SQL}, 1, INSTR({AFTER_INBOX_SQL} || ':', ':') - 1) END",
    ),
}


def convert_query(text: str, driver: str, prefix: str = "", inherited: Collection[str] = ()) -> str:
    """Return the query with the variables and fields of 2.4, or raise UnconvertibleValue."""
    query = convert_variables(text, AUTH_LETTER_VARIABLES)
    dialect = LOCATION_SQL.get(driver, LOCATION_SQL["mysql"])
    if not SELECT_RE.match(query):
        raise UnconvertibleValue(query.split()[0] if query.split() else text)
    added_counts = set()
    for select in reversed(sql.parse_selects(query)):
        old = sql.split_columns(select.columns)
        columns = [
            column for part in old for column in convert_column(part, dialect, prefix, inherited)
        ]
        added_counts.add(len(columns) - len(old))
        query = query[: select.start] + ", ".join(columns) + query[select.end :]
    if len(added_counts) > 1:
        raise UnconvertibleValue("UNION")  # one SELECT does not name its columns
    return query


def convert_column(
    column: str, dialect: LocationSQL, prefix: str, inherited: Collection[str] = ()
) -> list[str]:
    """Convert a column of a SELECT to one or more of 2.4."""
    [(expression, name)] = sql.parse_columns(column)
    is_second_rule = re.fullmatch(rf"{prefix}quota_rule\d+", name)
    if name == "*" or QUOTED_ALIAS_RE.search(column) or is_second_rule:
        raise UnconvertibleValue(column)
    if name == f"{prefix}quota_rule":
        return [f"{convert_quota_expression(expression, dialect)} AS {prefix}quota_storage_size"]
    if name == f"{prefix}mail":
        fields = convert_mail_expression(expression, dialect, inherited)
        return [f"{value} AS {prefix}{field}" for field, value in fields.items()]
    return [column]


def convert_quota_expression(expression: str, dialect: LocationSQL) -> str:
    """Convert `'*:bytes=' || quota` to a number with its unit."""
    kinds = QUOTA_PREFIX_RE.findall(expression)
    if len(kinds) != 1 or ":messages=" in expression:
        raise UnconvertibleValue(f"quota_rule: {expression}")
    number = QUOTA_PREFIX_RE.sub("'", expression)
    if UNIT_SUFFIX_RE.search(expression):
        return number
    return dialect.joined.format(number, "B" if kinds[0] == "bytes" else "k")


def convert_mail_expression(
    expression: str, dialect: LocationSQL, inherited: Collection[str]
) -> dict[str, str]:
    """Convert an expression for `mail` to fields of 2.4, resetting the inherited options.

    In 2.3, `mail` replaces all of mail_location.
    """
    if options := sorted(find_options(expression) - {"INBOX"}):
        raise UnconvertibleValue(f"mail: {', '.join(options)}")
    if "'" in expression and not LOCATION_DRIVER_RE.search(expression):
        raise UnconvertibleValue(f"mail: {expression}")  # Dovecot 2.3 detects the driver
    literal = LOCATION_LITERAL_RE.match(expression.strip())
    names = get_options_to_reset(inherited)
    if literal and ":" not in expression[literal.end() :]:
        return _convert_literal(expression.strip(), literal[2].lower(), names)
    return _split_in_sql(expression, dialect, names)


def _convert_literal(expression: str, driver: str, names: list[str]) -> dict[str, str]:
    """Convert an expression that begins with a driver: `CONCAT('maildir:/path', …)`."""
    path = LOCATION_LITERAL_RE.sub(lambda found: f"{found[1] or ''}'", expression)
    fields = {"mail_driver": f"'{driver}'", "mail_path": path}
    fields["mail_inbox_path"] = f"'{get_default_inbox(driver)}'"
    options = {LOCATION_OPTIONS[name]: get_default_option(name, driver) for name in names}
    return fields | {name: f"'{value}'" for name, value in options.items()}


def _split_in_sql(expression: str, dialect: LocationSQL, names: list[str]) -> dict[str, str]:
    """Let the database split a location of unknown content."""
    driver = dialect.driver.format(expression)

    def by_driver(maildir: str, other: str) -> str:
        """NULL leaves mail_location unchanged, in 2.3 as well."""
        is_maildir = f"{driver} = '{MAILDIR_DRIVER}'"
        is_other = f"{driver} <> '{MAILDIR_DRIVER}'"
        return f"CASE WHEN {is_maildir} THEN '{maildir}' WHEN {is_other} THEN '{other}' END"

    unset_inbox = by_driver(get_default_inbox(MAILDIR_DRIVER), get_default_inbox(""))
    fields = {
        "mail_driver": driver,
        "mail_path": dialect.path.format(expression),
        "mail_inbox_path": f"COALESCE({dialect.inbox.format(expression)}, {unset_inbox})",
    }
    for name in names:
        fields[LOCATION_OPTIONS[name]] = by_driver(
            get_default_option(name, MAILDIR_DRIVER), get_default_option(name, "")
        )
    return fields


def get_options_to_reset(inherited: Collection[str]) -> list[str]:
    """Return the options to reset, without INBOX, which is always set."""
    names = sorted(set(inherited) - {"INBOX"})
    if "UTF-8" in names:
        raise UnconvertibleValue("mail: UTF-8 of mail_location")
    return names


def find_undecided_columns(text: str, prefix: str) -> str:
    """Return the options that a column with the whole location may contain."""
    for select in sql.parse_selects(text):
        for expression, name in sql.parse_columns(select.columns):
            if name == f"{prefix}mail" and not LOCATION_DRIVER_RE.search(expression):
                return f"LAYOUT, INDEX, CONTROL, ALT in {expression}"
    return ""
