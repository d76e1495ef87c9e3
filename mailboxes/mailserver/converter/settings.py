"""Converters of single settings, by the kind of block that they are in."""

import re
from collections.abc import Callable

from mailboxes.mailserver.config_parser import names
from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import FILTER_BLOCKS, is_yes
from mailboxes.mailserver.converter.locations import convert_location
from mailboxes.mailserver.converter.result import (
    ConvertedSetting,
    Results,
    SettingResult,
    UnconvertedSetting,
    assign,
    assign_or_drop,
    drop,
    format_block,
    mark_unconverted,
)
from mailboxes.mailserver.converter.variables import (
    AUTH_LETTER_VARIABLES,
    LETTER_VARIABLES,
    convert_uidl_variables,
    convert_variables,
)

# Settings with variables; in all others a percent sign is one.
SETTINGS_WITH_VARIABLES = frozenset(
    {"auth_username_format", "imapc_master_user", "imapc_user", "lmtp_proxy_rawlog_dir"}
    | {"lmtp_rawlog_dir", "login_greeting", "login_log_format", "login_log_format_elements"}
    | {"mail_attachment_dir", "mail_chroot", "mail_home", "mail_log_prefix", "mail_temp_dir"}
    | {"pop3c_master_user", "pop3c_user", "postmaster_address", "prefix", "rawlog_dir"}
    | {"sendmail_path", "submission_host", "submission_relay_rawlog_dir"}
)
# Settings whose letters have a meaning of their own.
SETTINGS_WITH_OWN_VARIABLES = frozenset(
    {"deliver_log_format", "imap_logout_format", "pop3_logout_format"}
    | {"rejection_reason", "rejection_subject"}
)
RENAMED_PLUGINS = {"zlib": "mail_compress", "imap_zlib": "", "autocreate": ""}  # "": built in
REMOVED_MECHANISMS = ("ntlm", "rpa", "skey")
REMOVED_TLS_VERSIONS, TLS_VERSIONS = ("SSLv2", "SSLv3"), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
STRING_LIST_SETTINGS = ("auth_policy_request_attributes", "imap_id_send", "import_environment")
ZERO_UNLIMITED_SETTINGS = ("imapc_max_line_length", "lmtp_user_concurrency_limit")
UNLIMITED_VALUE, DEFAULT_VALUE = "4294967295", "18446744073709551615"  # as doveconf 2.3 shows them

SettingConverter = Callable[[ConfigSetting], Results]


def find_converter(name: str, kind: str) -> SettingConverter | None:
    """Return the converter for a setting in a kind of block."""
    kinds = (kind, "", "file") if kind in FILTER_BLOCKS else (kind, "")
    found = (SETTING_CONVERTERS.get(each, {}).get(name) for each in kinds)
    return next(filter(None, found), None)


def convert_plain_setting(setting: ConfigSetting) -> SettingResult:
    """Convert the name and the variables of a setting."""
    name, value = setting.name, setting.value
    if name in SETTINGS_WITH_OWN_VARIABLES and re.search(r"%[^{]", value):
        return UnconvertedSetting(setting)
    letters = AUTH_LETTER_VARIABLES if name.startswith("auth_") else LETTER_VARIABLES
    text = convert_variables(value, letters) if name in SETTINGS_WITH_VARIABLES else value
    return assign(setting, names.RENAMED_SETTINGS.get(name, name), text)


def convert_plugins(setting: ConfigSetting) -> Results:
    words = setting.value.split()
    removed = [word for word in words if word in names.REMOVED_PLUGINS]
    kept = [RENAMED_PLUGINS.get(word, word) for word in words if word not in removed]
    yield assign(setting, "mail_plugins", " ".join(filter(None, kept)))
    if removed:
        yield UnconvertedSetting(setting, " ".join(removed))


def convert_mechanisms(setting: ConfigSetting) -> Results:
    """Remove unknown mechanisms, with which Dovecot 2.4 does not start."""
    words = setting.value.split()
    removed = [word for word in words if word.lower() in REMOVED_MECHANISMS]
    kept = [word for word in words if word not in removed]
    yield assign_or_drop(setting, "auth_mechanisms", " ".join(kept))
    if removed:
        yield UnconvertedSetting(setting, " ".join(removed))


def convert_prefer_ciphers(setting: ConfigSetting) -> Results:
    side = "server" if is_yes(setting.value) else "client"
    yield assign(setting, "ssl_server_prefer_ciphers", side)


def convert_verbose_ssl(setting: ConfigSetting) -> Results:
    yield assign_or_drop(setting, "log_debug", "category=ssl" if is_yes(setting.value) else "")


def convert_ssl_options(setting: ConfigSetting) -> Results:
    """Remove the option about compression, which 2.4 never uses."""
    words = [word for word in setting.value.split() if word != "no_compression"]
    yield assign_or_drop(setting, "ssl_options", " ".join(words))


def convert_ssl_protocols(setting: ConfigSetting) -> Results:
    """Convert `!SSLv3 !TLSv1`, or a list of the allowed ones, to the lowest allowed one."""
    words = setting.value.split()
    denied = [word[1:] for word in words if word.startswith("!")]
    allowed = [word for word in words if not word.startswith("!")]
    remaining = [
        each for each in TLS_VERSIONS if each not in denied and (not allowed or each in allowed)
    ]
    if remaining and {*denied, *allowed} <= {*TLS_VERSIONS, *REMOVED_TLS_VERSIONS}:
        yield assign(setting, "ssl_min_protocol", remaining[0])
    else:
        yield UnconvertedSetting(setting, "ssl_min_protocol")


def convert_dsync_command(setting: ConfigSetting) -> Results:
    """Convert %u; the variables login and host are the setting's own."""
    text = setting.value.replace("%u", "%{user}")
    if re.search(r"%(?!\{(?:login|host|user)\})", text):
        yield UnconvertedSetting(setting)
    else:
        yield assign(setting, "dsync_remote_cmd", text)


def convert_uidl_format(setting: ConfigSetting) -> Results:
    yield assign(setting, "pop3_uidl_format", convert_uidl_variables(setting.value))


def convert_imap_capability(setting: ConfigSetting) -> Results:
    """Convert `+X`, an addition to the default."""
    if not setting.value.startswith("+"):
        yield assign(setting, "imap_capability", setting.value)
        return
    lines = [f"{word.strip('+')} = yes" for word in setting.value.split()]
    yield ConvertedSetting(format_block("imap_capability", "", lines), setting)


def convert_service_count(setting: ConfigSetting) -> Results:
    number = "unlimited" if setting.value == "0" else setting.value
    yield ConvertedSetting([f"restart_request_count = {number}"], setting)


def convert_listener_address(setting: ConfigSetting) -> Results:
    yield assign_or_drop(setting, "listen", setting.value)


def convert_idle_kill(setting: ConfigSetting) -> Results:
    """Convert the idle time of a process: 0 is the default, the greatest number no limit."""
    time = "unlimited" if setting.value.startswith(UNLIMITED_VALUE) else setting.value
    if setting.value == "0":
        yield drop(setting)
    else:
        yield ConvertedSetting([f"idle_kill_interval = {time}"], setting)


def convert_limit(setting: ConfigSetting) -> Results:
    """Leave out limits that 2.3 writes as 0 or the maximum: both mean the default."""
    is_default = setting.value == "0" or setting.value.startswith(DEFAULT_VALUE)
    yield drop(setting) if is_default else assign(setting, setting.name, setting.value)


def convert_zero_limit(setting: ConfigSetting) -> Results:
    number = "unlimited" if setting.value == "0" else setting.value
    yield assign(setting, setting.name, number)


def convert_string_list(setting: ConfigSetting) -> Results:
    yield mark_unconverted(setting)


# Kind of block ("": all, "file": outside of any but filters) → name → converter
SETTING_CONVERTERS: dict[str, dict[str, SettingConverter]] = {
    "": {
        "auth_mechanisms": convert_mechanisms,
        "mail_plugins": convert_plugins,
        "pop3_uidl_format": convert_uidl_format,
        "imap_capability": convert_imap_capability,
        **dict.fromkeys(STRING_LIST_SETTINGS, convert_string_list),
        **dict.fromkeys(ZERO_UNLIMITED_SETTINGS, convert_zero_limit),
    },
    "file": {
        "dsync_remote_cmd": convert_dsync_command,
        "mail_location": convert_location,
        "ssl_options": convert_ssl_options,
        "ssl_protocols": convert_ssl_protocols,
        "ssl_prefer_server_ciphers": convert_prefer_ciphers,
        "verbose_ssl": convert_verbose_ssl,
    },
    "inet_listener": {"address": convert_listener_address},
    "service": {
        "client_limit": convert_limit,
        "idle_kill": convert_idle_kill,
        "process_limit": convert_limit,
        "service_count": convert_service_count,
        "vsz_limit": convert_limit,
    },
}
