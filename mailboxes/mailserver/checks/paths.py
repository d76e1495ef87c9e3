"""Where mail is kept, said as a pattern: `/var/mail/%d/%n`, `/var/mail/{maildir}`."""

import re
from typing import NamedTuple

from mailboxes.mailserver.checks.rows import detect_maildir_layout
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.dovecot import get_driver
from mailboxes.mailserver.config_parser.lines import Line

VARIABLE_SHORT_FORMS = {
    "user": "%u",
    "user|username": "%n",
    "user|domain": "%d",
    "user|lower": "%u",
}
COLUMN_VARIABLES = {"username": "%u", "email": "%u", "domain": "%d", "local_part": "%n"}
MAIL_FIELDS = ("mail", "userdb_mail", "mail_path", "userdb_mail_path")
HOME_FIELDS = ("home", "userdb_home")
FUNCTION_CALL_RE = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


class MailStore(NamedTuple):
    path: str
    line: Line


def normalize_path_pattern(text):
    """A path with Dovecot's variables in their short form."""
    text = re.sub(
        r"%\{([^}]*)\}", lambda m: VARIABLE_SHORT_FORMS.get(m[1].replace(" ", ""), m[0]), text
    )
    text = re.sub(r"%[LUT\d.-]*([und])", r"%\1", text)
    return text.replace("%n@%d", "%u").rstrip("/")


def parse_path_expression(text):
    """The path that an SQL expression makes, columns as `{name}`; None if it is beyond us."""
    text = text.strip()
    if re.fullmatch(r"'[^']*'", text):
        return text[1:-1]
    parts = re.split(r"\s*\|\|\s*", text)
    if len(parts) > 1:
        return _parse_concat(parts)
    if call := FUNCTION_CALL_RE.fullmatch(text):
        return _parse_call(call[1].lower(), sql.split_columns(call[2]))
    name = sql.unquote_identifier(text).rpartition(".")[2]
    if not re.fullmatch(r"\w+", name):
        return None
    return COLUMN_VARIABLES.get(name, f"{{{name}}}")


def _parse_call(function, arguments):
    if function == "concat":
        return _parse_concat(arguments)
    if function == "substring_index" and len(arguments) == 3 and arguments[1] == "'@'":
        return {"-1": "%d", "1": "%n"}.get(arguments[2])
    return parse_path_expression(arguments[0]) if function in ("lower", "lcase") else None


def _parse_concat(parts):
    made = [parse_path_expression(part) for part in parts]
    return None if None in made else "".join(made)


def parse_path_fields(query):
    """Name → path, of what the first SELECT of a query returns."""
    selects = sql.parse_selects(query)
    columns = sql.parse_columns(selects[0].columns) if selects else []
    return {
        name: made for expression, name in columns if (made := parse_path_expression(expression))
    }


def get_location_path(location):
    """The path of `maildir:/path:INDEX=…`."""
    kind, colon, rest = location.partition(":")
    return (rest if colon and kind.isalpha() else location).partition(":")[0]


def find_dovecot_stores(dovecot):
    """Where Dovecot looks for mail."""
    setting = dovecot.root.setting("mail_path") or dovecot.root.setting("mail_location")
    homes = dovecot.root.setting("mail_home")
    general = get_location_path(setting.value) if setting else ""
    found = []
    queries = [(db, "user_query") for db in dovecot.userdbs()]
    queries += [(db, "password_query") for db in dovecot.passdbs() if uses_prefetch(dovecot)]
    for database, name in queries:
        made = parse_path_fields(database.value(name))
        mail = next((made[field] for field in MAIL_FIELDS if field in made), None)
        home = next((made[field] for field in HOME_FIELDS if field in made), None)
        line = database.where(name)
        found.append(_build_store(get_location_path(mail) if mail else general, home, line))
    if not queries and setting:
        found.append(_build_store(general, homes.value if homes else None, setting.line))
    return [store for store in found if store]


def uses_prefetch(dovecot):
    return any(
        get_driver(block) == "prefetch" for _around, block in dovecot.authentication("userdb")
    )


def _build_store(path, home, line):
    """A path below a home that is known; None where it is not."""
    path = re.sub(r"^(~|%h|%\{home\})(?=/|$)", lambda m: (home or m[0]).rstrip("/"), path or "")
    return MailStore(normalize_path_pattern(path), line) if path.startswith("/") else None


def iter_postfix_stores(configuration):
    """Where virtual(8) puts mail: base and what each map of mailboxes says."""
    postfix = configuration.postfix
    base = postfix.value("virtual_mailbox_base").rstrip("/")
    for use in configuration.get_sql_map_uses("virtual_mailbox_maps"):
        for select in sql.parse_selects(use.sql.query):
            for expression, _name in sql.parse_columns(select.columns)[:1]:
                if made := parse_path_expression(expression):
                    yield MailStore(normalize_path_pattern(f"{base}/{made}"), use.sql.query_line)
    for reference in postfix.all_maps("virtual_mailbox_maps"):
        for address, value, line in postfix.entries(reference):
            local_part, at, domain = address.rpartition("@")
            if at and local_part and value.endswith("/"):
                yield MailStore(
                    f"{base}/{detect_maildir_layout(address, local_part, domain, value)}", line
                )


def fill_maildir_layouts(path, layouts):
    """The patterns of a path once the column maildir is known; itself where it is not."""
    if "{maildir}" not in path or not layouts:
        return {path}
    return {path.replace("{maildir}", layout) for layout in layouts}
