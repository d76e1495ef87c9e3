"""What a userdb's query returns, as Dovecot 2.4 reads it: quota_storage_size, mail_path."""

import re
from typing import NamedTuple

from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.converter.locations import MAILDIR, PLACES, inbox, options_in, unset
from mailboxes.mailserver.converter.variables import AUTHENTICATION, Untranslatable, converted

QUOTA = re.compile(r"'\*:(bytes|storage)=")
# `… || 'M'`, `'*:storage=1G'`: the text ends in a unit.
UNIT = re.compile(r"[\d'\s][BKMGT]B?'\s*\)*\s*$", re.IGNORECASE)
SELECT = re.compile(r"[\s(]*select\b", re.IGNORECASE)
QUOTED_NAME = re.compile(r"\bas\s*'\w+'\s*$", re.IGNORECASE)
DRIVER = re.compile(r"'(maildir|mbox|mdbox|sdbox):", re.IGNORECASE)
PLACE = re.compile(r"^(concat\s*\(\s*)?'(maildir|mbox|mdbox|sdbox):", re.IGNORECASE)


class Dialect(NamedTuple):
    """How a database joins texts, and takes the parts of one."""

    joined: str
    driver: str
    path: str
    inbox: str


SUBSTRING = "SUBSTRING_INDEX({0}, ':', 1)"
AFTER = "SUBSTR({0}, INSTR({0}, ':') + 1)"
INBOX = "SUBSTR({0}, INSTR({0}, ':INBOX=') + 7)"
DIALECTS = {
    "mysql": Dialect(
        "CONCAT({0}, '{1}')",
        SUBSTRING,
        "SUBSTRING_INDEX(SUBSTRING_INDEX({0}, ':', 2), ':', -1)",
        "CASE WHEN LOCATE(':INBOX=', {0}) > 0 THEN"
        " SUBSTRING_INDEX(SUBSTRING_INDEX({0}, ':INBOX=', -1), ':', 1) END",
    ),
    "pgsql": Dialect(
        "({0} || '{1}')",
        "split_part({0}, ':', 1)",
        "split_part({0}, ':', 2)",
        "NULLIF(split_part(split_part({0}, ':INBOX=', 2), ':', 1), '')",
    ),
    "sqlite": Dialect(
        "({0} || '{1}')",
        "SUBSTR({0}, 1, INSTR({0}, ':') - 1)",
        f"SUBSTR({AFTER}, 1, INSTR({AFTER} || ':', ':') - 1)",
        f"CASE WHEN INSTR({{0}}, ':INBOX=') > 0 THEN"
        f" SUBSTR({INBOX}, 1, INSTR({INBOX} || ':', ':') - 1) END",
    ),
}


def query_of(text, driver, prefix="", inherited=()):
    """The query with 2.4's variables, and with 2.4's fields where it returns those of 2.3.

    Untranslatable says what cannot be.
    """
    made = converted(text, AUTHENTICATION)
    dialect = DIALECTS.get(driver, DIALECTS["mysql"])
    if not SELECT.match(made):
        raise Untranslatable(made.split()[0] if made.split() else text)
    numbers = set()
    for select in reversed(sql.selects(made)):
        old = sql.split_list(select.columns)
        columns = [
            column for part in old for column in columns_of(part, dialect, prefix, inherited)
        ]
        numbers.add(len(columns) - len(old))
        made = made[: select.start] + ", ".join(columns) + made[select.end :]
    if len(numbers) > 1:
        raise Untranslatable("UNION")  # of which one SELECT does not name its columns
    return made


def columns_of(column, dialect, prefix, inherited=()):
    """One column of a SELECT, as one or more of 2.4's."""
    [(expression, name)] = sql.column_names(column)
    if name == "*" or QUOTED_NAME.search(column) or re.fullmatch(rf"{prefix}quota_rule\d+", name):
        raise Untranslatable(column)
    if name == f"{prefix}quota_rule":
        return [f"{size(expression, dialect)} AS {prefix}quota_storage_size"]
    if name == f"{prefix}mail":
        made = place(expression, dialect, inherited)
        return [f"{value} AS {prefix}{field}" for field, value in made.items()]
    return [column]


def size(expression, dialect):
    """`'*:bytes=' || quota` as a number with its unit."""
    kinds = QUOTA.findall(expression)
    if len(kinds) != 1 or ":messages=" in expression:
        raise Untranslatable(f"quota_rule: {expression}")
    bare = QUOTA.sub("'", expression)
    if UNIT.search(expression):
        return bare
    return dialect.joined.format(bare, "B" if kinds[0] == "bytes" else "k")


def place(expression, dialect, inherited):
    """`'maildir:/path'` as driver and path; whatever else it is, the database takes it apart.

    Nothing of mail_location is inherited: in 2.3, `mail` takes the place of all of it.
    """
    if options := sorted(options_in(expression) - {"INBOX"}):
        raise Untranslatable(f"mail: {', '.join(options)}")
    if "'" in expression and not DRIVER.search(expression):  # a path that Dovecot 2.3 looks into
        raise Untranslatable(f"mail: {expression}")
    kind = PLACE.match(expression.strip())
    if kind and ":" not in expression[kind.end() :]:
        path = PLACE.sub(lambda found: f"{found[1] or ''}'", expression.strip())
        driver = kind[2].lower()
        fields = {"mail_driver": f"'{driver}'", "mail_path": path}
        fields["mail_inbox_path"] = f"'{inbox(driver)}'"
        return fields | {PLACES[name]: f"'{unset(name, driver)}'" for name in rest(inherited)}
    driver = dialect.driver.format(expression)
    # no value at all leaves mail_location as it is, in 2.3 as well
    by_driver = (
        f"CASE WHEN {driver} = '{MAILDIR}' THEN '{{}}' WHEN {driver} <> '{MAILDIR}' THEN '{{}}' END"
    ).format
    unset_inbox = by_driver(inbox(MAILDIR), inbox(""))
    fields = {
        "mail_driver": driver,
        "mail_path": dialect.path.format(expression),
        "mail_inbox_path": f"COALESCE({dialect.inbox.format(expression)}, {unset_inbox})",
    }
    for name in rest(inherited):
        fields[PLACES[name]] = by_driver(unset(name, MAILDIR), unset(name, ""))
    return fields


def rest(inherited):
    """Options to be set back beside INBOX, which always is."""
    names = sorted(set(inherited) - {"INBOX"})
    if "UTF-8" in names:
        raise Untranslatable("mail: UTF-8 of mail_location")
    return names


def undecided(text, prefix):
    """What a query returns that is not in it: options in a column that holds the whole place."""
    for select in sql.selects(text):
        for expression, name in sql.column_names(select.columns):
            if name == f"{prefix}mail" and not DRIVER.search(expression):
                return f"LAYOUT, INDEX, CONTROL, ALT in {expression}"
    return ""
