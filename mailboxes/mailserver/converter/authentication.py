"""Convert passdbs and userdbs, their arguments and the SQL files that they name."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from mailboxes.mailserver.config_parser.defaults import DEFAULT_SCHEMES_2_3
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, get_driver
from mailboxes.mailserver.config_parser.lines import ConfigSetting, read_text
from mailboxes.mailserver.config_parser.tree import ConfigBlock, is_yes
from mailboxes.mailserver.converter.database import ConnectionFiles
from mailboxes.mailserver.converter.locations import convert_mail_field
from mailboxes.mailserver.converter.plugin import QUOTA_RULE_RE, parse_quota_limits
from mailboxes.mailserver.converter.queries import convert_query, find_undecided_columns
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    Results,
    Section,
    UnconvertedSetting,
    assign,
    format_assignment,
    format_block,
    format_header,
    try_convert,
)
from mailboxes.mailserver.converter.variables import (
    AUTH_LETTER_VARIABLES,
    UnconvertibleValue,
    convert_variables,
)

RENAMED_DRIVERS = {"shadow": "pam"}
REMOVED_DRIVERS = ("checkpassword", "dict", "vpopmail", "sia", "bsdauth", "ldap")
UNCHANGED_SETTINGS = frozenset(
    {"deny", "master", "auth_verbose", "result_failure", "result_internalfail"}
    | {"result_success", "skip", "username_filter"}
)
PASSWD_FILE_FIELDS_2_3 = ("userdb_mail", "userdb_quota_rule")  # of a passwd-file; 2.4 ignores them
# Fields that deny access, from some networks or at all.
RESTRICTING_FIELD_RE = re.compile(r"\b(?:allow_nets|allow_real_nets|nologin)=")
PAM_ARGUMENTS = ("session", "setcred", "failure_show_msg", "max_requests")
QUERY_SETTINGS = {"passdb": ("password_query",), "userdb": ("user_query", "iterate_query")}


class AuthenticationConverter:
    """Converts the passdbs and userdbs of a configuration, each with a unique name."""

    def __init__(
        self, dovecot: DovecotFiles, connections: ConnectionFiles, inherited: Collection[str]
    ) -> None:
        self.dovecot, self.connections = dovecot, connections
        self.inherited_options = inherited  # options of mail_location
        self.used_names: set[tuple[str, str]] = set()
        self.lost_restrictions: list[ConfigBlock] = []  # passdbs that deny access only in 2.3

    def convert_block(self, source: ConfigBlock) -> list[Section]:
        sections = self._convert_block(source)
        results = flatten_sections(sections)
        lost = [each.source for each in results if isinstance(each, UnconvertedSetting)]
        denies = restricts_access(source) or any(
            RESTRICTING_FIELD_RE.search(each.value) for each in lost
        )
        if lost and denies:
            self.lost_restrictions.append(source)
        return sections

    def _convert_block(self, source: ConfigBlock) -> list[Section]:
        kind, old_driver = source.kind, get_driver(source)
        if old_driver in REMOVED_DRIVERS:
            return [UnconvertedSetting(setting) for setting in source.settings()]
        driver = RENAMED_DRIVERS.get(old_driver, old_driver)
        name = self._get_unique_name(kind, driver)
        children: list[Section] = [] if name == driver else [f"driver = {driver}"]
        children += self._convert_arguments(source, driver, name)
        children += self._convert_fields(source)
        children += convert_simple_settings(source)
        old_header = format_header(kind, source.name)
        return [ConvertedBlock(format_header(kind, name), source.line, children, old_header)]

    def _get_unique_name(self, kind: str, driver: str) -> str:
        names = (driver, *(f"{driver}{number}" for number in range(2, 1000)))
        name = next(each for each in names if (kind, each) not in self.used_names)
        self.used_names.add((kind, name))
        return name

    def _convert_arguments(self, source: ConfigBlock, driver: str, name: str) -> Iterator[Section]:
        """Convert args: options of the driver, or the name of its SQL file."""
        setting = source.setting("args")
        if driver == "sql":
            yield from self._convert_sql(source, name)
        elif setting and driver in ARGUMENT_CONVERTERS:
            prefix = "" if name == driver else f"{driver}_"
            convert = ARGUMENT_CONVERTERS[driver]
            results = convert(setting, source.kind, prefix, self.inherited_options)
            yield from try_convert(setting, results)
        elif setting and setting.value:
            yield UnconvertedSetting(setting)

    def _convert_sql(self, source: ConfigBlock, name: str) -> Iterator[Section]:
        """Convert the connection and the queries of an SQL file."""
        path = self.dovecot.resolve_path(source.value("args"))
        file = self.dovecot.sql_files.get(path)
        if file is None or not file.children:
            arguments = (setting for setting in source.settings() if setting.name == "args")
            yield from map(UnconvertedSetting, arguments)
            return
        yield from self.connections.convert_connect(file)
        if source.kind == "passdb":
            scheme = file.setting("default_pass_scheme")
            text = format_assignment(
                "default_password_scheme", scheme.value if scheme else DEFAULT_SCHEMES_2_3["sql"]
            )
            yield ConvertedSetting([text], scheme) if scheme else text
        prefix = "" if name == "sql" else "sql_"
        for old_name in QUERY_SETTINGS[source.kind]:
            if setting := file.setting(old_name):
                new_name = "iterate_query" if old_name == "iterate_query" else "query"
                results = self._convert_query(setting, f"{prefix}{new_name}", file, source.kind)
                yield from try_convert(setting, results)

    def _convert_query(
        self, setting: ConfigSetting, name: str, file: ConfigBlock, kind: str
    ) -> Results:
        if setting.name == "iterate_query":  # returns names only
            yield assign(setting, name, convert_variables(setting.value, AUTH_LETTER_VARIABLES))
            return
        prefix = "userdb_" if kind == "passdb" else ""
        driver = file.value("driver")
        query = convert_query(setting.value, driver, prefix, self.inherited_options)
        yield assign(setting, name, query)
        if about := find_undecided_columns(setting.value, prefix):
            yield UnconvertedSetting(setting, about)

    def _convert_fields(self, source: ConfigBlock) -> Results:
        """Convert default_fields and override_fields to the block fields { }."""
        for name, suffix in (("default_fields", ":default"), ("override_fields", "")):
            setting = source.setting(name)
            if setting and setting.value:
                results = convert_field_list(setting, suffix, self.inherited_options)
                yield from try_convert(setting, results)


def convert_simple_settings(source: ConfigBlock) -> Results:
    for setting in source.settings():
        if setting.name in UNCHANGED_SETTINGS and setting.value not in ("default", ""):
            yield assign(setting, setting.name, setting.value)
        elif setting.name == "mechanisms" and setting.value:
            yield assign(setting, "mechanisms_filter", setting.value)
        elif setting.name == "pass" and is_yes(setting.value):
            yield ConvertedSetting(["result_success = continue"], setting)


def restricts_access(source: ConfigBlock) -> bool:
    """Check whether a passdb can deny a login that a later passdb would accept."""
    is_strict = source.value("result_failure") in ("return-fail", "return") or (
        source.value("result_success") == "return-fail"
    )
    return source.kind == "passdb" and (is_yes(source.value("deny")) or is_strict)


def flatten_sections(sections: Iterable[Section]) -> Iterator[Section]:
    for each in sections:
        yield from flatten_sections(each.children) if isinstance(each, ConvertedBlock) else (each,)


def convert_field_list(setting: ConfigSetting, suffix: str, inherited: Collection[str]) -> Results:
    lines = [
        format_assignment(f"{key}{suffix}", value)
        for key, value in iter_converted_fields(setting.value, inherited)
    ]
    yield ConvertedSetting(format_block("fields", "", lines), setting)


def iter_converted_fields(text: str, inherited: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the static fields, with 2.4's fields in place of mail and quota_rule."""
    for word in text.split():
        name, sign, value = word.partition("=")
        prefix = "userdb_" if name.startswith("userdb_") else ""
        field = name.removeprefix("userdb_")
        if field == "mail":
            fields = convert_mail_field(value, inherited, AUTH_LETTER_VARIABLES)
        elif field.startswith("quota_rule"):
            fields = convert_quota_field(field, value)
        else:
            fields = {field: convert_variables(value, AUTH_LETTER_VARIABLES) if sign else "yes"}
        yield from ((f"{prefix}{key}", each) for key, each in fields.items())


def convert_quota_field(name: str, value: str) -> dict[str, str]:
    found = QUOTA_RULE_RE.fullmatch(value) if name == "quota_rule" else None
    if not found or not (found[2] or found[3]):
        raise UnconvertibleValue(f"{name}={value}")
    return parse_quota_limits(found)


def convert_pam_arguments(
    setting: ConfigSetting, _kind: str, prefix: str, _inherited: Collection[str]
) -> Results:
    lines, unknown = [], []
    for word in setting.value.split():
        name, sign, value = word.partition("=")
        if name in PAM_ARGUMENTS:
            lines.append(f"{prefix}{name} = {value if sign else 'yes'}")
        elif word in ("*", "%s"):
            lines.append(f"{prefix}service_name = %{{protocol}}")
        elif not sign:
            lines.append(f"{prefix}service_name = {word}")
        else:
            unknown.append(word)
    yield ConvertedSetting(lines, setting)
    if unknown:
        yield UnconvertedSetting(setting, " ".join(unknown))


def convert_passwd_file_arguments(
    setting: ConfigSetting, kind: str, _prefix: str, _inherited: Collection[str]
) -> Results:
    *words, path = setting.value.split() or [""]
    options = dict(word.partition("=")[::2] for word in words)
    lines = [format_assignment("passwd_file_path", convert_variables(path, AUTH_LETTER_VARIABLES))]
    scheme = options.get("scheme", DEFAULT_SCHEMES_2_3["passwd-file"])
    lines += [f"default_password_scheme = {scheme}"] if kind == "passdb" else []
    if username_format := options.get("username_format"):
        converted = convert_variables(username_format, AUTH_LETTER_VARIABLES)
        lines.append(format_assignment("auth_username_format", converted))
    yield ConvertedSetting(lines, setting)
    if fields := find_old_passwd_file_fields(path, kind):
        yield UnconvertedSetting(setting, f"{fields}: {path}")


def find_old_passwd_file_fields(path: str, kind: str) -> str:
    """Return the fields of 2.3 that users have in the file.

    The file of a userdb is assumed to have all of them if it cannot be read.
    """
    try:
        text = "" if "%" in path else read_text(path)
    except OSError:
        text = ""
    if not text:
        return ", ".join(PASSWD_FILE_FIELDS_2_3) if kind == "userdb" else ""
    return ", ".join(
        name for name in PASSWD_FILE_FIELDS_2_3 if re.search(rf"[\s:]{name}\d*=", text)
    )


def convert_static_arguments(
    setting: ConfigSetting, kind: str, prefix: str, inherited: Collection[str]
) -> Results:
    lines, fields = [], []
    for name, value in iter_converted_fields(setting.value, inherited):
        if kind == "userdb" and name == "allow_all_users":
            lines.append(f"static_allow_all_users = {value}")
        elif kind == "passdb" and name == "password":
            lines.append(format_assignment(f"{prefix}password", value))
        else:
            fields.append(format_assignment(name, value))
    yield ConvertedSetting(lines + (format_block("fields", "", fields) if fields else []), setting)


def drop_arguments(
    setting: ConfigSetting, _kind: str, _prefix: str, _inherited: Collection[str]
) -> Results:
    """Drop the arguments of passwd and prefetch, which have none in 2.4."""
    if setting.value:
        yield UnconvertedSetting(setting)


ArgumentConverter = Callable[[ConfigSetting, str, str, Collection[str]], Results]
ARGUMENT_CONVERTERS: dict[str, ArgumentConverter] = {
    "pam": convert_pam_arguments,
    "passwd": drop_arguments,
    "passwd-file": convert_passwd_file_arguments,
    "prefetch": drop_arguments,
    "static": convert_static_arguments,
}
