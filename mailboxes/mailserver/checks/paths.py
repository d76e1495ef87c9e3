"""Where mail is kept, said as a pattern: `/var/mail/%d/%n`, `/var/mail/{maildir}`."""

import re
from typing import NamedTuple

from mailboxes.mailserver.checks.rows import layout_of
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.dovecot import driver
from mailboxes.mailserver.config_parser.lines import Line

MODERN = {"user": "%u", "user|username": "%n", "user|domain": "%d", "user|lower": "%u"}
COLUMNS = {"username": "%u", "email": "%u", "domain": "%d", "local_part": "%n"}
MAIL_FIELDS = ("mail", "userdb_mail", "mail_path", "userdb_mail_path")
HOME_FIELDS = ("home", "userdb_home")
CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


class Store(NamedTuple):
    path: str
    line: Line


def pattern(text):
    """A path with Dovecot's variables in their short form."""
    text = re.sub(r"%\{([^}]*)\}", lambda m: MODERN.get(m[1].replace(" ", ""), m[0]), text)
    text = re.sub(r"%[LUT\d.-]*([und])", r"%\1", text)
    return text.replace("%n@%d", "%u").rstrip("/")


def of_expression(text):
    """The path that an SQL expression makes, columns as `{name}`; None if it is beyond us."""
    text = text.strip()
    if re.fullmatch(r"'[^']*'", text):
        return text[1:-1]
    parts = re.split(r"\s*\|\|\s*", text)
    if len(parts) > 1:
        return _joined(parts)
    if call := CALL.fullmatch(text):
        return _called(call[1].lower(), sql.split_list(call[2]))
    name = sql.unquoted(text).rpartition(".")[2]
    if not re.fullmatch(r"\w+", name):
        return None
    return COLUMNS.get(name, f"{{{name}}}")


def _called(function, arguments):
    if function == "concat":
        return _joined(arguments)
    if function == "substring_index" and len(arguments) == 3 and arguments[1] == "'@'":
        return {"-1": "%d", "1": "%n"}.get(arguments[2])
    return of_expression(arguments[0]) if function in ("lower", "lcase") else None


def _joined(parts):
    made = [of_expression(part) for part in parts]
    return None if None in made else "".join(made)


def fields(query):
    """Name → path, of what the first SELECT of a query returns."""
    selects = sql.selects(query)
    columns = sql.column_names(selects[0].columns) if selects else []
    return {name: made for expression, name in columns if (made := of_expression(expression))}


def bare(location):
    """The path of `maildir:/path:INDEX=…`."""
    kind, colon, rest = location.partition(":")
    return (rest if colon and kind.isalpha() else location).partition(":")[0]


def of_dovecot(dovecot):
    """Where Dovecot looks for mail."""
    setting = dovecot.root.setting("mail_path") or dovecot.root.setting("mail_location")
    homes = dovecot.root.setting("mail_home")
    general = bare(setting.value) if setting else ""
    found = []
    queries = [(db, "user_query") for db in dovecot.userdbs()]
    queries += [(db, "password_query") for db in dovecot.passdbs() if prefetches(dovecot)]
    for database, name in queries:
        made = fields(database.value(name))
        mail = next((made[field] for field in MAIL_FIELDS if field in made), None)
        home = next((made[field] for field in HOME_FIELDS if field in made), None)
        line = database.where(name)
        found.append(_store(bare(mail) if mail else general, home, line))
    if not queries and setting:
        found.append(_store(general, homes.value if homes else None, setting.line))
    return [store for store in found if store]


def prefetches(dovecot):
    return any(driver(block) == "prefetch" for _around, block in dovecot.authentication("userdb"))


def _store(path, home, line):
    """A path below a home that is known; None where it is not."""
    path = re.sub(r"^(~|%h|%\{home\})(?=/|$)", lambda m: (home or m[0]).rstrip("/"), path or "")
    return Store(pattern(path), line) if path.startswith("/") else None


def of_postfix(configuration):
    """Where virtual(8) puts mail: base and what each map of mailboxes says."""
    postfix = configuration.postfix
    base = postfix.value("virtual_mailbox_base").rstrip("/")
    for use in configuration.asked_by("virtual_mailbox_maps"):
        for select in sql.selects(use.sql.query):
            for expression, _name in sql.column_names(select.columns)[:1]:
                if made := of_expression(expression):
                    yield Store(pattern(f"{base}/{made}"), use.sql.query_line)
    for reference in postfix.all_maps("virtual_mailbox_maps"):
        for address, value, line in postfix.entries(reference):
            local_part, at, domain = address.rpartition("@")
            if at and local_part and value.endswith("/"):
                yield Store(f"{base}/{layout_of(address, local_part, domain, value)}", line)


def filled(path, layouts):
    """The patterns of a path once the column maildir is known; itself where it is not."""
    if "{maildir}" not in path or not layouts:
        return {path}
    return {path.replace("{maildir}", layout) for layout in layouts}
