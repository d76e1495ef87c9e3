"""Convert the settings of plugin { }, which become blocks or plain settings."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.names import RENAMED_PLUGIN_SETTINGS
from mailboxes.mailserver.config_parser.tree import ConfigBlock, is_yes
from mailboxes.mailserver.converter.result import (
    ConvertedSetting,
    Results,
    UnconvertedSetting,
    assign,
    drop,
    format_assignment,
    format_block,
)
from mailboxes.mailserver.converter.variables import convert_variables

# Settings with the same name outside of plugin { }.
UNCHANGED_SETTINGS = frozenset({
    "fts_autoindex", "fts_autoindex_max_recent_msgs", "fts_message_max_size",
    "last_login_key", "last_login_precision", "lazy_expunge_only_last_instance",
    "mail_log_cached_only",
    "mail_log_events", "mail_log_fields", "quota_exceeded_message", "quota_status_nouser",
    "quota_status_overquota", "quota_status_success", "quota_status_toolarge",
    "sieve_duplicate_default_period", "sieve_duplicate_max_period", "sieve_execute_bin_dir",
    "sieve_execute_exec_timeout", "sieve_execute_input_eol", "sieve_execute_socket_dir",
    "sieve_implicit_extensions",
    "sieve_filter_bin_dir", "sieve_filter_exec_timeout", "sieve_filter_input_eol",
    "sieve_filter_socket_dir", "sieve_include_max_includes", "sieve_include_max_nesting_depth",
    "sieve_max_actions", "sieve_max_cpu_time", "sieve_max_redirects", "sieve_max_script_size",
    "sieve_notify_mailto_envelope_from", "sieve_pipe_bin_dir", "sieve_pipe_exec_timeout",
    "sieve_pipe_input_eol", "sieve_pipe_socket_dir", "sieve_plugins",
    "sieve_redirect_envelope_from", "sieve_report_from", "sieve_resource_usage_timeout",
    "sieve_spamtest_status_header", "sieve_spamtest_status_type", "sieve_trace_addresses",
    "sieve_trace_debug", "sieve_trace_dir", "sieve_trace_level", "sieve_user_email",
    "sieve_vacation_default_period", "sieve_vacation_max_period", "sieve_vacation_min_period",
    "sieve_vacation_send_from_recipient", "sieve_vacation_to_header_ignore_envelope",
    "sieve_vacation_use_original_recipient", "sieve_virustest_status_header",
    "sieve_virustest_status_type",
})  # fmt: skip
QUOTA_WARNING_RE = re.compile(r"(-)?(storage|bytes|messages?)=(\d+)%{1,2}\s+([\w.-]+)\s*(.*)")
QUOTA_RULE_RE = re.compile(
    r"\*:(?:(storage|bytes)=(\d+\s*[BbKkMmGgTt]?[Bb]?))?(?::?messages=(\d+))?"
)
FOLDER_RULE_RE = re.compile(r"([^*:][^:]*):(ignore|storage=\+(\w+))")
GRACE_COMMENT = (
    "# The last message may exceed it: in 2.3 by a tenth, in 2.4 by quota_storage_grace (10 M)."
)
SIEVE_SCRIPT_TYPES = {"sieve_before": "before", "sieve_after": "after", "sieve_default": "default"}
SIEVE_SCRIPT_TYPES |= {
    "sieve_global": "global",
    "sieve_global_dir": "global",
    "sieve_discard": "discard",
}
QUOTA_OPTIONS = ("", "hidden", "noenforcing")
NUMBERED_SETTING_RE = re.compile(r"(sieve_(?:before|after)|quota_rule|quota_warning|quota)\d+")


@dataclass
class PluginContext:
    """Facts about other settings that the conversion of plugin { } depends on."""

    inbox: str  # the new name of the namespace with inbox = yes
    has_inbox: bool
    sieve_dir: str
    has_sieve: bool
    warning_names: set[str] = field(default_factory=set)  # already used

    @classmethod
    def of(cls, root: ConfigBlock) -> Self:
        values = {
            setting.name: setting.value
            for blocks, setting in root.walk()
            if blocks[-1].kind == "plugin"
        }
        inbox = next((b for b in root.blocks("namespace") if is_yes(b.value("inbox"))), None)
        name = inbox.name if inbox else ""
        sieve_dir = values.get("sieve_dir", "")
        return cls(name or "inbox", inbox is not None, sieve_dir, "sieve" in values)


def convert_plugin_setting(setting: ConfigSetting, context: PluginContext) -> Results:
    """Convert a setting of plugin { }."""
    numbered = NUMBERED_SETTING_RE.fullmatch(setting.name)
    name = numbered[1] if numbered else setting.name
    if name in CONTEXT_SETTING_CONVERTERS:
        yield from CONTEXT_SETTING_CONVERTERS[name](setting, context)
    elif name in PLUGIN_SETTING_CONVERTERS:
        yield from PLUGIN_SETTING_CONVERTERS[name](setting)
    elif name in SIEVE_SCRIPT_TYPES:
        yield from convert_sieve_script(
            setting, SIEVE_SCRIPT_TYPES[name], setting.name.removeprefix("sieve_")
        )
    elif name in RENAMED_PLUGIN_SETTINGS:
        yield assign(setting, RENAMED_PLUGIN_SETTINGS[name], convert_variables(setting.value))
    elif name in UNCHANGED_SETTINGS:
        yield assign(setting, name, convert_variables(setting.value))
    else:
        yield UnconvertedSetting(setting)


def convert_quota(setting: ConfigSetting) -> Results:
    """Convert `count:User quota:ns=…`; Dovecot counts all but the quotas of the file system."""
    driver, _colon, rest = setting.value.partition(":")
    name, _colon, options = rest.partition(":")
    lines = [GRACE_COMMENT, "driver = fs" if driver == "fs" else "driver = count"]
    lines += ["hidden = yes"] if "hidden" in options.split(":") else []
    lines += ["enforce = no"] if "noenforcing" in options.split(":") else []
    yield ConvertedSetting(format_block("quota", name or "User quota", lines), setting)
    if unknown := [word for word in options.split(":") if word not in QUOTA_OPTIONS]:
        yield UnconvertedSetting(setting, ":".join(unknown))


def convert_quota_rule(setting: ConfigSetting, context: PluginContext) -> Results:
    if folder := FOLDER_RULE_RE.fullmatch(setting.value):
        output = (
            "quota_ignore = yes" if folder[2] == "ignore" else f"quota_storage_extra = {folder[3]}"
        )
        inner = format_block("mailbox", folder[1], [output])
        inner = inner if context.has_inbox else ["inbox = yes", *inner]
        yield ConvertedSetting(format_block("namespace", context.inbox, inner), setting)
        return
    found = QUOTA_RULE_RE.fullmatch(setting.value)
    if not found or not (found[2] or found[3]):
        yield UnconvertedSetting(setting)
        return
    for name, value in parse_quota_limits(found).items():
        yield assign(setting, name, value)


def parse_quota_limits(rule: re.Match[str]) -> dict[str, str]:
    """Return the limits of a rule for all folders."""
    found = {}
    if rule[2]:
        unit = "" if rule[2][-1].isalpha() else "B" if rule[1] == "bytes" else "k"
        found["quota_storage_size"] = f"{rule[2]}{unit}"
    if rule[3]:
        found["quota_message_count"] = rule[3]
    return found


def convert_quota_warning(setting: ConfigSetting, context: PluginContext) -> Results:
    found = QUOTA_WARNING_RE.fullmatch(setting.value)
    if not found:
        yield UnconvertedSetting(setting)
        return
    is_under, kind, number, service, arguments = found.groups()
    resource = "message" if kind.startswith("message") else "storage"
    lines = ["resource = message"] if resource == "message" else []
    lines += ["threshold = under"] if is_under else []
    lines += [f"quota_{resource}_percentage = {number}"]
    lines += format_block(
        "execute", service, [format_assignment("args", convert_variables(arguments))]
    )
    base_name = f"{'under' if is_under else 'over'}-{number}-{resource}"
    names = (base_name, *(f"{base_name}-{count}" for count in range(2, 1000)))
    name = next(each for each in names if each not in context.warning_names)
    context.warning_names.add(name)
    yield ConvertedSetting(format_block("quota_warning", name, lines), setting)


def convert_dict_client(setting: ConfigSetting) -> Results:
    """Convert `proxy::name`, or another dictionary, of the plugin that the setting names."""
    driver, _colon, rest = setting.value.partition(":")
    name = rest.rpartition(":")[2]
    if driver != "proxy" or not name:
        yield UnconvertedSetting(setting)
        return
    inner = format_block("dict", "proxy", [format_assignment("name", name)])
    plugin = setting.name.removesuffix("_dict")
    yield ConvertedSetting(format_block(plugin, "", inner), setting)


def convert_quota_grace(setting: ConfigSetting) -> Results:
    """Convert a size; a percentage no longer exists."""
    if "%" in setting.value:
        yield UnconvertedSetting(setting, "quota_storage_grace = SIZE")
    else:
        yield assign(setting, "quota_storage_grace", setting.value)


def convert_sieve_script(setting: ConfigSetting, kind: str, name: str) -> Results:
    """Convert a script or a folder of scripts: `file:~/sieve;active=~/.dovecot.sieve`."""
    location, *words = setting.value.split(";")
    driver, colon, path = location.partition(":")
    if not colon:
        driver, path = "file", location
    options = dict(word.partition("=")[::2] for word in words)
    lines = [] if kind == "personal" else [f"type = {kind}"]
    lines += [] if driver == "file" else [format_assignment("driver", driver)]
    lines += [format_assignment("path", convert_variables(path))]
    if active := options.get("active"):
        lines += [format_assignment("active_path", convert_variables(active))]
    yield ConvertedSetting(format_block("sieve_script", name, lines), setting)
    if unknown := [word for word in words if word.partition("=")[0] not in ("", "active")]:
        yield UnconvertedSetting(setting, ";".join(unknown))


def convert_sieve(setting: ConfigSetting, context: PluginContext) -> Results:
    """Convert the personal script; with sieve_dir, the file is the link to the active script."""
    driver, colon, _rest = setting.value.partition(":")
    if not context.sieve_dir or ";" in setting.value or (colon and driver != "file"):
        yield from convert_sieve_script(setting, "personal", "personal")
        return
    active = setting.value.removeprefix("file:")
    yield build_personal_script(setting, context.sieve_dir, active)


def convert_sieve_dir(setting: ConfigSetting, context: PluginContext) -> Results:
    """Convert sieve_dir, which belongs to the script of `sieve` if that is set."""
    if context.has_sieve:
        yield drop(setting)
    else:
        yield build_personal_script(setting, setting.value, "~/.dovecot.sieve")


def build_personal_script(setting: ConfigSetting, path: str, active: str) -> ConvertedSetting:
    lines = [
        format_assignment("path", convert_variables(path)),
        format_assignment("active_path", convert_variables(active)),
    ]
    return ConvertedSetting(format_block("sieve_script", "personal", lines), setting)


def convert_sieve_extensions(setting: ConfigSetting) -> Results:
    """Convert `+x -y`, changes of the default list, to a block; others replace it."""
    words = setting.value.split()
    if not any(word[0] in "+-" for word in words):
        yield assign(setting, setting.name, setting.value)
        return
    lines = [f"{word.lstrip('+-')} = {'no' if word[0] == '-' else 'yes'}" for word in words]
    yield ConvertedSetting(format_block(setting.name, "", lines), setting)


def convert_zlib_save(setting: ConfigSetting) -> Results:
    yield assign(setting, "mail_compress_write_method", setting.value)


def convert_acl(setting: ConfigSetting) -> Results:
    """Convert `vfile`, and a global file, which 2.4 does not have."""
    driver, _colon, rest = setting.value.partition(":")
    yield assign(setting, "acl_driver", driver)
    if rest:
        yield UnconvertedSetting(setting, rest)


def drop_setting(setting: ConfigSetting) -> Results:
    """Drop a setting that is the default of 2.4."""
    yield drop(setting)


PLUGIN_SETTING_CONVERTERS: dict[str, Callable[[ConfigSetting], Results]] = {
    "acl": convert_acl,
    "last_login_dict": convert_dict_client,
    "quota": convert_quota,
    "quota_clone_dict": convert_dict_client,
    "quota_grace": convert_quota_grace,
    "quota_vsizes": drop_setting,
    "sieve_extensions": convert_sieve_extensions,
    "sieve_global_extensions": convert_sieve_extensions,
    "zlib_save": convert_zlib_save,
}
CONTEXT_SETTING_CONVERTERS: dict[str, Callable[[ConfigSetting, PluginContext], Results]] = {
    "quota_rule": convert_quota_rule,
    "quota_warning": convert_quota_warning,
    "sieve": convert_sieve,
    "sieve_dir": convert_sieve_dir,
}
