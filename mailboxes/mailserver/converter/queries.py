"""What a userdb's query returns, as Dovecot 2.4 reads it: quota_storage_size, mail_path."""

import re
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
    """How a database joins texts, and takes the parts of one."""

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


def convert_query(text, driver, prefix="", inherited=()):
    """The query with 2.4's variables, and with 2.4's fields where it returns those of 2.3.

    Untranslatable says what cannot be.
    """
    made = convert_variables(text, AUTH_LETTER_VARIABLES)
    dialect = LOCATION_SQL.get(driver, LOCATION_SQL["mysql"])
    if not SELECT_RE.match(made):
        raise UnconvertibleValue(made.split()[0] if made.split() else text)
    numbers = set()
    for select in reversed(sql.parse_selects(made)):
        old = sql.split_columns(select.columns)
        columns = [
            column for part in old for column in convert_column(part, dialect, prefix, inherited)
        ]
        numbers.add(len(columns) - len(old))
        made = made[: select.start] + ", ".join(columns) + made[select.end :]
    if len(numbers) > 1:
        raise UnconvertibleValue("UNION")  # of which one SELECT does not name its columns
    return made


def convert_column(column, dialect, prefix, inherited=()):
    """One column of a SELECT, as one or more of 2.4's."""
    [(expression, name)] = sql.parse_columns(column)
    if (
        name == "*"
        or QUOTED_ALIAS_RE.search(column)
        or re.fullmatch(rf"{prefix}quota_rule\d+", name)
    ):
        raise UnconvertibleValue(column)
    if name == f"{prefix}quota_rule":
        return [f"{convert_quota_expression(expression, dialect)} AS {prefix}quota_storage_size"]
    if name == f"{prefix}mail":
        made = convert_mail_expression(expression, dialect, inherited)
        return [f"{value} AS {prefix}{field}" for field, value in made.items()]
    return [column]


def convert_quota_expression(expression, dialect):
    """`'*:bytes=' || quota` as a number with its unit."""
    kinds = QUOTA_PREFIX_RE.findall(expression)
    if len(kinds) != 1 or ":messages=" in expression:
        raise UnconvertibleValue(f"quota_rule: {expression}")
    bare = QUOTA_PREFIX_RE.sub("'", expression)
    if UNIT_SUFFIX_RE.search(expression):
        return bare
    return dialect.joined.format(bare, "B" if kinds[0] == "bytes" else "k")


def convert_mail_expression(expression, dialect, inherited):
    """`'maildir:/path'` as driver and path; whatever else it is, the database takes it apart.

    Nothing of mail_location is inherited: in 2.3, `mail` takes the place of all of it.
    """
    if options := sorted(find_options(expression) - {"INBOX"}):
        raise UnconvertibleValue(f"mail: {', '.join(options)}")
    if "'" in expression and not LOCATION_DRIVER_RE.search(
        expression
    ):  # a path that Dovecot 2.3 looks into
        raise UnconvertibleValue(f"mail: {expression}")
    kind = LOCATION_LITERAL_RE.match(expression.strip())
    if kind and ":" not in expression[kind.end() :]:
        path = LOCATION_LITERAL_RE.sub(lambda found: f"{found[1] or ''}'", expression.strip())
        driver = kind[2].lower()
        fields = {"mail_driver": f"'{driver}'", "mail_path": path}
        fields["mail_inbox_path"] = f"'{get_default_inbox(driver)}'"
        return fields | {
            LOCATION_OPTIONS[name]: f"'{get_default_option(name, driver)}'"
            for name in get_options_to_reset(inherited)
        }
    driver = dialect.driver.format(expression)
    # no value at all leaves mail_location as it is, in 2.3 as well
    by_driver = (
        f"CASE WHEN {driver} = '{MAILDIR_DRIVER}' THEN '{{}}'"
        f" WHEN {driver} <> '{MAILDIR_DRIVER}' THEN '{{}}' END"
    ).format
    unset_inbox = by_driver(get_default_inbox(MAILDIR_DRIVER), get_default_inbox(""))
    fields = {
        "mail_driver": driver,
        "mail_path": dialect.path.format(expression),
        "mail_inbox_path": f"COALESCE({dialect.inbox.format(expression)}, {unset_inbox})",
    }
    for name in get_options_to_reset(inherited):
        fields[LOCATION_OPTIONS[name]] = by_driver(
            get_default_option(name, MAILDIR_DRIVER), get_default_option(name, "")
        )
    return fields


def get_options_to_reset(inherited):
    """Options to be set back beside INBOX, which always is."""
    names = sorted(set(inherited) - {"INBOX"})
    if "UTF-8" in names:
        raise UnconvertibleValue("mail: UTF-8 of mail_location")
    return names


def find_undecided_columns(text, prefix):
    """What a query returns that is not in it: options in a column that holds the whole place."""
    for select in sql.parse_selects(text):
        for expression, name in sql.parse_columns(select.columns):
            if name == f"{prefix}mail" and not LOCATION_DRIVER_RE.search(expression):
                return f"LAYOUT, INDEX, CONTROL, ALT in {expression}"
    return ""
