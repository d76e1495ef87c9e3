"""passdb and userdb of 2.3, whose arguments are settings in 2.4, and whose SQL stands in them."""

import functools
import re

from mailboxes.mailserver.config_parser.dovecot import get_driver
from mailboxes.mailserver.config_parser.lines import read_text
from mailboxes.mailserver.config_parser.tree import is_yes
from mailboxes.mailserver.converter.locations import convert_mail_field
from mailboxes.mailserver.converter.plugin import QUOTA_RULE_RE, parse_quota_limits
from mailboxes.mailserver.converter.queries import convert_query, find_undecided_columns
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    UnconvertedSetting,
    format_assignment,
    format_block,
    format_header,
)
from mailboxes.mailserver.converter.variables import (
    AUTH_LETTER_VARIABLES,
    UnconvertibleValue,
    convert_variables,
)

# driver of 2.3 → of 2.4, where they are not the same
RENAMED_DRIVERS = {"shadow": "pam"}
REMOVED_DRIVERS = ("checkpassword", "dict", "vpopmail", "sia", "bsdauth")
UNCHANGED_SETTINGS = ("deny", "master", "auth_verbose", "result_failure", "result_internalfail")
UNCHANGED_SETTINGS += ("result_success", "skip", "username_filter")
PASSWD_FILE_FIELDS_2_3 = ("userdb_mail", "userdb_quota_rule")  # of a passwd-file; 2.4 ignores them
# Fields that keep people out, from some places or at all.
RESTRICTING_FIELD_RE = re.compile(r"\b(?:allow_nets|allow_real_nets|nologin)=")
PAM_ARGUMENTS = {"session": "session", "setcred": "setcred", "failure_show_msg": "failure_show_msg"}
PAM_ARGUMENTS |= {"max_requests": "max_requests"}
QUERY_SETTINGS = {"passdb": ("password_query",), "userdb": ("user_query", "iterate_query")}
# The scheme of passwords that name none, where nothing is said.
DEFAULT_SCHEMES = {"sql": "MD5", "passwd-file": "CRYPT"}


class AuthenticationConverter:
    """The passdbs and userdbs of a configuration: each gets a name that is its own."""

    def __init__(self, dovecot, connections, inherited):
        self.dovecot, self.connections = dovecot, connections
        self.inherited_options = inherited  # options of mail_location
        self.used = set()
        self.unguarded = []  # passdbs that keep people out in 2.3, and no longer

    def convert_block(self, source):
        made = self._convert_block(source)
        lost = [
            each.source for each in flatten_results(made) if isinstance(each, UnconvertedSetting)
        ]
        if lost and (
            is_access_guard(source) or any(RESTRICTING_FIELD_RE.search(each.value) for each in lost)
        ):
            self.unguarded.append(source)
        return made

    def _convert_block(self, source):
        kind, old = source.kind, get_driver(source)
        if old in REMOVED_DRIVERS or old == "ldap":
            return [UnconvertedSetting(setting) for setting in source.settings()]
        new = RENAMED_DRIVERS.get(old, old)
        name = self._get_unique_name(kind, new)
        found = ConvertedBlock(
            format_header(kind, name), source.line, old_header=format_header(kind, source.name)
        )
        found.children += [] if name == new else [f"driver = {new}"]
        found.children += [
            each for part in BLOCK_CONVERTERS for each in part(self, source, new, name)
        ]
        return [found]

    def _get_unique_name(self, kind, new):
        name = next(
            each
            for each in (new, *(f"{new}{number}" for number in range(2, 1000)))
            if (kind, each) not in self.used
        )
        self.used.add((kind, name))
        return name

    def arguments(self, source, new, name):
        """What stands in args: options of the driver, or the file with its SQL."""
        setting = source.setting("args")
        if new == "sql":
            yield from self._convert_sql(source, name)
        elif setting and new in ARGUMENT_CONVERTERS:
            prefix = "" if name == new else f"{new}_"
            convert = functools.partial(
                ARGUMENT_CONVERTERS[new], setting, source.kind, prefix, self.inherited_options
            )
            yield from try_convert(setting, convert)
        elif setting and setting.value:
            yield UnconvertedSetting(setting)

    def _convert_sql(self, source, name):
        """The queries of the file that it names, beside the connection."""
        path = self.dovecot.resolve_path(source.value("args"))
        file = self.dovecot.sql_files.get(path)
        if file is None or not file.children:
            yield from (
                UnconvertedSetting(setting)
                for setting in source.settings()
                if setting.name == "args"
            )
            return
        yield from self.connections.convert_connect(file)
        prefix = "" if name == "sql" else "sql_"
        if source.kind == "passdb":
            scheme = file.setting("default_pass_scheme")
            text = format_assignment(
                "default_password_scheme", scheme.value if scheme else DEFAULT_SCHEMES["sql"]
            )
            yield ConvertedSetting([text], scheme) if scheme else text
        for old in QUERY_SETTINGS[source.kind]:
            if setting := file.setting(old):
                new = "iterate_query" if old == "iterate_query" else "query"
                yield from self._convert_query(setting, f"{prefix}{new}", file, source.kind)

    def _convert_query(self, setting, new, file, kind):
        prefix = "userdb_" if kind == "passdb" else ""
        try:
            if setting.name == "iterate_query":  # returns names only
                made = convert_variables(setting.value, AUTH_LETTER_VARIABLES)
            else:
                made = convert_query(
                    setting.value, file.value("driver"), prefix, self.inherited_options
                )
        except UnconvertibleValue as error:
            yield UnconvertedSetting(setting, str(error))
            return
        yield ConvertedSetting([format_assignment(new, made)], setting)
        if about := find_undecided_columns(setting.value, prefix):
            yield UnconvertedSetting(setting, about)

    def fields(self, source, _new, _name):
        """default_fields and override_fields, as fields { } of 2.4."""
        for name, suffix in (("default_fields", ":default"), ("override_fields", "")):
            setting = source.setting(name)
            if setting and setting.value:
                convert = functools.partial(
                    convert_field_list, setting, suffix, self.inherited_options
                )
                yield from try_convert(setting, convert)

    def others(self, source, _new, _name):
        for setting in source.settings():
            if setting.name in UNCHANGED_SETTINGS and setting.value not in ("default", ""):
                yield ConvertedSetting([format_assignment(setting.name, setting.value)], setting)
            elif setting.name == "mechanisms" and setting.value:
                yield ConvertedSetting(
                    [format_assignment("mechanisms_filter", setting.value)], setting
                )
            elif setting.name == "pass" and is_yes(setting.value):
                yield ConvertedSetting(["result_success = continue"], setting)


def is_access_guard(source):
    """Whether those whom it knows, or does not know, cannot log in by another passdb."""
    fails = ("return-fail", "return")
    is_strict = source.value("result_failure") in fails or (
        source.value("result_success") == "return-fail"
    )
    return source.kind == "passdb" and (is_yes(source.value("deny")) or is_strict)


def flatten_results(found):
    for each in found:
        yield from flatten_results(each.children) if isinstance(each, ConvertedBlock) else (each,)


BLOCK_CONVERTERS = (
    AuthenticationConverter.arguments,
    AuthenticationConverter.fields,
    AuthenticationConverter.others,
)


def try_convert(setting, convert):
    """What the conversion gives, or the setting as Lost where it has no word for a variable."""
    try:
        return list(convert())
    except UnconvertibleValue as error:
        return [UnconvertedSetting(setting, str(error))]


def convert_field_list(setting, suffix, inherited):
    lines = [
        format_assignment(f"{key}{suffix}", value)
        for key, value in iter_converted_fields(setting.value, inherited)
    ]
    yield ConvertedSetting(format_block("fields", "", lines), setting)


def iter_converted_fields(text, inherited):
    """Fields that are the same for all, those of 2.4 instead of mail and quota_rule."""
    for word in text.split():
        name, sign, value = word.partition("=")
        prefix = "userdb_" if name.startswith("userdb_") else ""
        field = name.removeprefix("userdb_")
        if field == "mail":
            found = convert_mail_field(value, inherited, AUTH_LETTER_VARIABLES)
        elif field.startswith("quota_rule"):
            found = convert_quota_field(field, value)
        else:
            found = {field: convert_variables(value, AUTH_LETTER_VARIABLES) if sign else "yes"}
        yield from ((f"{prefix}{key}", each) for key, each in found.items())


def convert_quota_field(name, value):
    found = QUOTA_RULE_RE.fullmatch(value) if name == "quota_rule" else None
    if not found or not (found[2] or found[3]):
        raise UnconvertibleValue(f"{name}={value}")
    return parse_quota_limits(found)


def convert_pam_arguments(setting, _kind, prefix, _inherited):
    lines, left = [], []
    for word in setting.value.split():
        name, sign, value = word.partition("=")
        if name in PAM_ARGUMENTS:
            lines.append(f"{prefix}{PAM_ARGUMENTS[name]} = {value if sign else 'yes'}")
        elif not sign and word not in ("*", "%s"):
            lines.append(f"{prefix}service_name = {word}")
        elif word in ("*", "%s"):
            lines.append(f"{prefix}service_name = %{{protocol}}")
        else:
            left.append(word)
    yield ConvertedSetting(lines, setting)
    if left:
        yield UnconvertedSetting(setting, " ".join(left))


def convert_passwd_file_arguments(setting, kind, _prefix, _inherited):
    *options, path = setting.value.split() or [""]
    known = dict(option.partition("=")[::2] for option in options)
    lines = [format_assignment("passwd_file_path", convert_variables(path, AUTH_LETTER_VARIABLES))]
    scheme = known.get("scheme", DEFAULT_SCHEMES["passwd-file"])
    lines += [f"default_password_scheme = {scheme}"] if kind == "passdb" else []
    if form := known.get("username_format"):
        lines.append(
            format_assignment(
                "auth_username_format", convert_variables(form, AUTH_LETTER_VARIABLES)
            )
        )
    yield ConvertedSetting(lines, setting)
    if found := find_old_passwd_file_fields(path, kind):
        yield UnconvertedSetting(setting, f"{found}: {path}")


def find_old_passwd_file_fields(path, kind):
    """Fields of 2.3 in the file, in which each user may have their own.

    Of a userdb that cannot be read, what may be in it.
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


def convert_static_arguments(setting, kind, prefix, inherited):
    lines, fields = [], []
    for name, value in iter_converted_fields(setting.value, inherited):
        if kind == "userdb" and name == "allow_all_users":
            lines.append(f"static_allow_all_users = {value}")
        elif kind == "passdb" and name == "password":
            lines.append(format_assignment(f"{prefix}password", value))
        else:
            fields.append(format_assignment(name, value))
    yield ConvertedSetting(lines + (format_block("fields", "", fields) if fields else []), setting)


def drop_arguments(setting, _kind, _prefix, _inherited):
    """Arguments of passwd and prefetch, of which 2.4 has none."""
    if setting.value:
        yield UnconvertedSetting(setting)


ARGUMENT_CONVERTERS = {
    "pam": convert_pam_arguments,
    "passwd": drop_arguments,
    "passwd-file": convert_passwd_file_arguments,
    "prefetch": drop_arguments,
    "static": convert_static_arguments,
}
