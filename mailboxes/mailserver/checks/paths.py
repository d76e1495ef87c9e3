"""Mail locations as patterns: `/var/mail/%d/%n`, `/var/mail/{maildir}`."""

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from mailboxes.mailserver.checks.finding import Configuration
from mailboxes.mailserver.checks.rows import detect_maildir_layout
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, get_driver
from mailboxes.mailserver.config_parser.lines import ConfigSetting, Line

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


PathFields = dict[str, str]  # column of a query → path


class MailStore(NamedTuple):
    path: str
    line: Line


def normalize_path_pattern(text: str) -> str:
    """Return the path with Dovecot's variables in their short form."""
    text = re.sub(
        r"%\{([^}]*)\}", lambda m: VARIABLE_SHORT_FORMS.get(m[1].replace(" ", ""), m[0]), text
    )
    text = re.sub(r"%[LUT\d.-]*([und])", r"%\1", text)
    return text.replace("%n@%d", "%u").rstrip("/")


def parse_path_expression(text: str) -> str | None:
    """Return the path that an SQL expression builds, columns as `{name}`; None if it is unknown."""
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


def _parse_call(function: str, arguments: list[str]) -> str | None:
    if function == "concat":
        return _parse_concat(arguments)
    if function == "substring_index" and len(arguments) == 3 and arguments[1] == "'@'":
        return {"-1": "%d", "1": "%n"}.get(arguments[2])
    return parse_path_expression(arguments[0]) if function in ("lower", "lcase") else None


def _parse_concat(parts: list[str]) -> str | None:
    paths = [path for part in parts if (path := parse_path_expression(part)) is not None]
    return "".join(paths) if len(paths) == len(parts) else None


def parse_path_fields(query: str) -> PathFields:
    """Return name → path of the columns of a query's first SELECT."""
    selects = sql.parse_selects(query)
    columns = sql.parse_columns(selects[0].columns) if selects else []
    return {
        name: path for expression, name in columns if (path := parse_path_expression(expression))
    }


def get_location_path(location: str) -> str:
    """Return the path of `maildir:/path:INDEX=…`."""
    kind, colon, rest = location.partition(":")
    return (rest if colon and kind.isalpha() else location).partition(":")[0]


def get_mail_setting(dovecot: DovecotFiles) -> ConfigSetting | None:
    """Return the setting with the default location of mail."""
    return dovecot.root.setting("mail_path") or dovecot.root.setting("mail_location")


def get_mail_and_home(fields: PathFields) -> tuple[str | None, str | None]:
    """Return the mail path and the home that a query returns."""
    mail = next((fields[name] for name in MAIL_FIELDS if name in fields), None)
    home = next((fields[name] for name in HOME_FIELDS if name in fields), None)
    return mail, home


def find_dovecot_stores(dovecot: DovecotFiles) -> list[MailStore]:
    """Return the locations where Dovecot looks for mail."""
    setting = get_mail_setting(dovecot)
    default = get_location_path(setting.value) if setting else ""
    found = []
    queries = [(db, "user_query") for db in dovecot.userdbs()]
    queries += [(db, "password_query") for db in dovecot.passdbs() if uses_prefetch(dovecot)]
    for database, name in queries:
        mail, home = get_mail_and_home(parse_path_fields(database.value(name)))
        line = database.get_line(name)
        found.append(_build_store(get_location_path(mail) if mail else default, home, line))
    if not queries and setting:
        found.append(_build_store(default, dovecot.value("mail_home"), setting.line))
    return [store for store in found if store]


def uses_prefetch(dovecot: DovecotFiles) -> bool:
    return any(
        get_driver(block) == "prefetch" for _parents, block in dovecot.authentication("userdb")
    )


def _build_store(path: str, home: str | None, line: Line) -> MailStore | None:
    """Build a location from a path relative to the home; None if the home is unknown."""
    path = re.sub(r"^(~|%h|%\{home\})(?=/|$)", lambda m: (home or m[0]).rstrip("/"), path)
    return MailStore(normalize_path_pattern(path), line) if path.startswith("/") else None


def iter_postfix_stores(configuration: Configuration) -> Iterator[MailStore]:
    """Yield the locations where virtual(8) writes mail: the base and the paths of maps."""
    postfix = configuration.postfix
    base = postfix.value("virtual_mailbox_base").rstrip("/")
    for use in configuration.get_sql_map_uses("virtual_mailbox_maps"):
        for select in sql.parse_selects(use.sql.query):
            for expression, _name in sql.parse_columns(select.columns)[:1]:
                if path := parse_path_expression(expression):
                    yield MailStore(normalize_path_pattern(f"{base}/{path}"), use.sql.query_line)
    for reference in postfix.all_maps("virtual_mailbox_maps"):
        for address, value, line in postfix.entries(reference):
            local_part, at, domain = address.rpartition("@")
            if at and local_part and value.endswith("/"):
                layout = detect_maildir_layout(address, local_part, domain, value)
                yield MailStore(f"{base}/{layout}", line)


def fill_maildir_layouts(path: str, layouts: Collection[str]) -> set[str]:
    """Return the path with each known layout in place of the column maildir."""
    if "{maildir}" not in path or not layouts:
        return {path}
    return {path.replace("{maildir}", layout) for layout in layouts}
