"""What a userdb's query returns, as Dovecot 2.4 reads it: quota_storage_size, mail_path."""

import re
from typing import NamedTuple

from mailboxes.mailserver.reading import sql
from mailboxes.mailserver.upgrading.variables import AUTHENTICATION, Untranslatable, converted

QUOTA = re.compile(r"'\*:(bytes|storage)=")
UNIT = re.compile(r"'\s*[BKMGT]'?\s*\)*\s*$", re.IGNORECASE)
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


def query_of(text, driver, prefix=""):
    """The query with 2.4's variables, and with 2.4's fields where it returns those of 2.3.

    Untranslatable says what cannot be.
    """
    made = converted(text, AUTHENTICATION)
    dialect = DIALECTS.get(driver, DIALECTS["mysql"])
    for select in reversed(sql.selects(made)):
        columns = [
            column
            for part in sql.split_list(select.columns)
            for column in columns_of(part, dialect, prefix)
        ]
        made = made[: select.start] + ", ".join(columns) + made[select.end :]
    return made


def columns_of(column, dialect, prefix):
    """One column of a SELECT, as one or more of 2.4's."""
    [(expression, name)] = sql.column_names(column)
    if name == f"{prefix}quota_rule":
        return [f"{size(expression, dialect)} AS {prefix}quota_storage_size"]
    if name == f"{prefix}mail":
        return [f"{made} AS {prefix}{field}" for field, made in place(expression, dialect).items()]
    return [column]


def size(expression, dialect):
    """`'*:bytes=' || quota` as a number with its unit."""
    kind = QUOTA.search(expression)
    if not kind or ":messages=" in expression:
        raise Untranslatable(f"quota_rule: {expression}")
    bare = QUOTA.sub("'", expression)
    if kind[1] == "bytes":
        return dialect.joined.format(bare, "B")
    return bare if UNIT.search(expression) else dialect.joined.format(bare, "k")


def place(expression, dialect):
    """`'maildir:/path'` as driver and path; whatever else it is, the database takes it apart."""
    kind = PLACE.match(expression.strip())
    if kind and ":" not in expression[kind.end() :]:
        path = PLACE.sub(lambda found: f"{found[1] or ''}'", expression.strip())
        return {"mail_driver": f"'{kind[2]}'", "mail_path": path}
    return {
        "mail_driver": dialect.driver.format(expression),
        "mail_path": dialect.path.format(expression),
        "mail_inbox_path": dialect.inbox.format(expression),
    }
