"""Dovecot's files of 2.3, block by block, as Dovecot 2.4 wants them."""

import re

from mailboxes.mailserver.config_parser import names
from mailboxes.mailserver.config_parser.dovecot import is_package_file
from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import FILTER_BLOCKS, is_yes
from mailboxes.mailserver.converter.authentication import AuthenticationConverter
from mailboxes.mailserver.converter.database import ConnectionFiles, convert_dictionary
from mailboxes.mailserver.converter.locations import convert_location, find_inherited_options
from mailboxes.mailserver.converter.plugin import PluginContext, convert_plugin_setting
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
    LETTER_VARIABLES,
    UnconvertibleValue,
    convert_uidl_variables,
    convert_variables,
)

VERSION_LINES = ["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"]
DEFAULT_PROTOCOLS = "imap pop3 lmtp"  # the default of 2.3; 2.4 has none
WEAK_SCHEME_LINES = [
    "# Passwords that 2.3 takes, and 2.4 calls weak.",
    "auth_allow_weak_schemes = yes",
]
# Settings with variables; a percent sign in another is one.
SETTINGS_WITH_VARIABLES = frozenset(
    {"auth_username_format", "imapc_master_user", "imapc_user", "lmtp_proxy_rawlog_dir"}
    | {"lmtp_rawlog_dir", "login_greeting", "login_log_format", "login_log_format_elements"}
    | {"mail_attachment_dir", "mail_chroot", "mail_home", "mail_log_prefix", "mail_temp_dir"}
    | {"pop3c_master_user", "pop3c_user", "postmaster_address", "prefix", "rawlog_dir"}
    | {"sendmail_path", "submission_host", "submission_relay_rawlog_dir"}
)
# Settings whose letters mean something else in each.
SETTINGS_WITH_OWN_VARIABLES = ("deliver_log_format", "imap_logout_format", "pop3_logout_format")
SETTINGS_WITH_OWN_VARIABLES += ("rejection_reason", "rejection_subject")
REMOVED_SERVICES = ("director", "ipc", "old-stats", "replicator", "aggregator", "auth-vlogin")
# What 2.4 does itself is "".
RENAMED_PLUGINS = {"zlib": "mail_compress", "imap_zlib": "", "autocreate": ""}
REMOVED_MECHANISMS = ("ntlm", "rpa", "skey")
DEFAULT_ATTACHMENT_FS = "sis posix"  # mail_attachment_fs, if it is not set
UNKNOWN_VARIABLE_RE = re.compile(r"=\s*\$\w+\s*$")
REMOVED_TLS_VERSIONS, TLS_VERSIONS = ("SSLv2", "SSLv3"), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
STRING_LIST_SETTINGS = ("auth_policy_request_attributes", "imap_id_send", "import_environment")
ZERO_UNLIMITED_SETTINGS = ("imapc_max_line_length", "lmtp_user_concurrency_limit")
UNLIMITED_VALUE, DEFAULT_VALUE = "4294967295", "18446744073709551615"  # as doveconf 2.3 shows them


class Conversion:
    """A folder of Dovecot 2.3's as sections of 2.4's, in the order in which 2.3 reads it."""

    def __init__(self, files):
        self.dovecot = files
        self.connections = ConnectionFiles()
        self.unnamed_count = 0
        self.inherited_options = find_inherited_options(files.root)
        self.plugin_context = PluginContext.of(files.root)
        self.authentication = AuthenticationConverter(
            files, self.connections, self.inherited_options
        )

    @property
    def unguarded(self):
        return self.authentication.unguarded

    def sections(self):
        found = [*VERSION_LINES, ""]
        packaged = self.dovecot.packaged_includes
        found += [f"!include_try {pattern}" for pattern in packaged]
        if not packaged and not self.dovecot.root.setting("protocols"):
            found.append(f"protocols = {DEFAULT_PROTOCOLS}")
        return [*found, *WEAK_SCHEME_LINES, "", *self._convert_children(self.dovecot.root)]

    def _convert_children(self, block):
        found = []
        for child in block.children:
            if is_package_file(child.line.file):
                continue
            if isinstance(child, ConfigSetting):
                found += self._setting(child, block)
            else:
                found += self._convert_block(child)
        return found

    # Blocks

    def _convert_block(self, block):
        if block.kind in ("passdb", "userdb"):
            return self.authentication.convert_block(block)
        if block.kind == "plugin":
            return [
                made for each in block.settings() for made in self._convert_plugin_setting(each)
            ]
        if block.kind == "dict":
            inner = [each for s in block.settings() for each in self._convert_dictionary(s)]
            return [ConvertedBlock("dict_server", block.line, inner, "dict")]
        if block.kind == "service" and block.name in REMOVED_SERVICES:
            is_empty = next(block.walk(), None) is None
            return (
                []
                if is_empty
                else [UnconvertedSetting(ConfigSetting(block.kind, block.name, (block.line,)))]
            )
        if block.kind == "namespace" and shows_other_users(block):
            return [UnconvertedSetting(setting, "%%") for _path, setting in block.walk()]
        was = format_header(block.kind, block.name)
        return [
            ConvertedBlock(
                self._get_new_header(block), block.line, self._convert_children(block), was
            )
        ]

    def _convert_dictionary(self, setting):
        return convert_dictionary(setting, self.dovecot, self.connections)

    def _convert_plugin_setting(self, setting):
        try:
            return list(convert_plugin_setting(setting, self.plugin_context))
        except UnconvertibleValue as error:
            return [UnconvertedSetting(setting, str(error))]

    def _get_new_header(self, block):
        """A namespace or listener needs a name; one without gets that of what it holds."""
        if block.kind == "inet_listener" and not block.name:
            return format_header("inet_listener", f"port-{block.value('port', '0')}")
        if block.kind != "namespace" or block.name:
            return format_header(block.kind, block.name)
        self.unnamed_count += 1
        is_inbox = is_yes(block.value("inbox"))
        return format_header("namespace", "inbox" if is_inbox else f"more{self.unnamed_count}")

    # Settings

    def _setting(self, setting, block):
        try:
            return self._convert_by_name(setting, block.kind)
        except UnconvertibleValue as error:
            return [UnconvertedSetting(setting, str(error))]

    def _convert_by_name(self, setting, kind):
        name, value = setting.name, setting.value
        if not value and name != "mail_plugins" and UNKNOWN_VARIABLE_RE.search(setting.line.text):
            return [UnconvertedSetting(setting)]  # `$name`, and it is not known what that is
        if name in ("mail_attachment_dir", "mail_attachment_fs"):
            return self._convert_attachments(setting)
        if kind == "namespace" and name == "location":
            return convert_location(setting, {"INBOX", *self.inherited_options})
        if kind in SETTING_CONVERTERS and name in SETTING_CONVERTERS[kind]:
            return SETTING_CONVERTERS[kind][name](setting)
        for table in (
            SETTING_CONVERTERS[""],
            SETTING_CONVERTERS["file"] if kind in ("file", *FILTER_BLOCKS) else {},
        ):
            if name in table:
                return table[name](setting)
        if name in names.FILE_SETTINGS:
            return [
                ConvertedSetting(
                    [format_assignment(names.FILE_SETTINGS[name], value.lstrip("<"))]
                    if value
                    else [],
                    setting,
                )
            ]
        if name in names.INVERTED_SETTINGS:
            output = "no" if is_yes(value) else "yes"
            if output == "yes" and kind == "file" and self.dovecot.value("ssl") == "required":
                return [ConvertedSetting([], setting)]  # 2.4 refuses what has no effect in 2.3
            return [ConvertedSetting([f"{names.INVERTED_SETTINGS[name]} = {output}"], setting)]
        instead = names.find_replacement(name, kind)
        if instead is not None and name not in names.RENAMED_SETTINGS:
            return (
                [UnconvertedSetting(setting, instead)] if value else [ConvertedSetting([], setting)]
            )
        if name in SETTINGS_WITH_OWN_VARIABLES and re.search(r"%[^{]", value):
            return [UnconvertedSetting(setting)]
        letters = AUTH_LETTER_VARIABLES if name.startswith("auth_") else LETTER_VARIABLES
        new = names.RENAMED_SETTINGS.get(name, name)
        text = convert_variables(value, letters) if name in SETTINGS_WITH_VARIABLES else value
        return [ConvertedSetting([format_assignment(new, text)], setting)]

    def _convert_attachments(self, setting):
        """Attachments need a file system in 2.4 too, which has no usual one for them."""
        text = self.dovecot.value("mail_attachment_fs") or DEFAULT_ATTACHMENT_FS
        if not setting.value or text not in (DEFAULT_ATTACHMENT_FS, "posix"):
            return (
                [UnconvertedSetting(setting, "mail_ext_attachment { fs … }")]
                if setting.value
                else mark_unconverted(setting)
            )
        if setting.name == "mail_attachment_fs":
            return [ConvertedSetting([], setting)]
        systems = [line for name in text.split() for line in format_block("fs", name, [])]
        path = format_assignment("mail_ext_attachment_path", convert_variables(setting.value))
        return [
            ConvertedSetting([path, *format_block("mail_ext_attachment", "", systems)], setting)
        ]


def shows_other_users(namespace):
    """Whether it shows other users' folders: with %%u, which 2.4 says in another way."""
    return "%%" in namespace.value("prefix") + namespace.value("location")


def convert_plugins(setting):
    """A list of plugins, of which some are gone or called otherwise."""
    words = setting.value.split()
    gone = [word for word in words if word in names.REMOVED_PLUGINS]
    kept = [RENAMED_PLUGINS.get(word, word) for word in words if word not in names.REMOVED_PLUGINS]
    line = format_assignment("mail_plugins", " ".join(filter(None, kept)))
    return [
        ConvertedSetting([line], setting),
        *([UnconvertedSetting(setting, " ".join(gone))] if gone else []),
    ]


def convert_mechanisms(setting):
    """Ways to log in; Dovecot 2.4 does not start if it does not know one."""
    words = setting.value.split()
    gone = [word for word in words if word.lower() in REMOVED_MECHANISMS]
    kept = [word for word in words if word not in gone]
    line = format_assignment("auth_mechanisms", " ".join(kept))
    return [
        ConvertedSetting([line] if kept else [], setting),
        *([UnconvertedSetting(setting, " ".join(gone))] if gone else []),
    ]


def convert_prefer_ciphers(setting):
    side = "server" if is_yes(setting.value) else "client"
    return [ConvertedSetting([f"ssl_server_prefer_ciphers = {side}"], setting)]


def convert_verbose_ssl(setting):
    is_on = is_yes(setting.value)
    return [ConvertedSetting(["log_debug = category=ssl"] if is_on else [], setting)]


def convert_ssl_options(setting):
    """2.4 knows no option about compression, which it never does."""
    words = [word for word in setting.value.split() if word != "no_compression"]
    return [
        ConvertedSetting(
            [format_assignment("ssl_options", " ".join(words))] if words else [], setting
        )
    ]


def convert_ssl_protocols(setting):
    """`!SSLv3 !TLSv1`, or those that there are: the lowest of them."""
    words = setting.value.split()
    without = [word[1:] for word in words if word.startswith("!")]
    named = [word for word in words if not word.startswith("!")]
    left = [each for each in TLS_VERSIONS if each not in without and (not named or each in named)]
    if not left or set(words) - {
        *TLS_VERSIONS,
        *REMOVED_TLS_VERSIONS,
        *(f"!{each}" for each in (*TLS_VERSIONS, *REMOVED_TLS_VERSIONS)),
    }:
        return [UnconvertedSetting(setting, "ssl_min_protocol")]
    return [ConvertedSetting([f"ssl_min_protocol = {left[0]}"], setting)]


def convert_dsync_command(setting):
    """Has variables of its own, login and host, and %u."""
    text = setting.value.replace("%u", "%{user}")
    if re.search(r"%(?!\{(?:login|host|user)\})", text):
        return [UnconvertedSetting(setting)]
    return [ConvertedSetting([format_assignment("dsync_remote_cmd", text)], setting)]


def convert_uidl_format(setting):
    return [
        ConvertedSetting(
            [format_assignment("pop3_uidl_format", convert_uidl_variables(setting.value))], setting
        )
    ]


def convert_imap_capability(setting):
    """`+X`: more than the usual."""
    if not setting.value.startswith("+"):
        return [ConvertedSetting([format_assignment("imap_capability", setting.value)], setting)]
    inner = [f"  {word.strip('+')} = yes" for word in setting.value.split()]
    return [ConvertedSetting(["imap_capability {", *inner, "}"], setting)]


def convert_service_count(setting):
    number = "unlimited" if setting.value == "0" else setting.value
    return [ConvertedSetting([f"restart_request_count = {number}"], setting)]


def rename_setting(new):
    def rename(setting):
        return [
            ConvertedSetting(
                [format_assignment(new, setting.value)] if setting.value else [], setting
            )
        ]

    return rename


def convert_idle_kill(setting):
    """How long a process may do nothing: 0 is the default, the greatest number no limit."""
    if setting.value == "0":
        return [ConvertedSetting([], setting)]
    time = "unlimited" if setting.value.startswith(UNLIMITED_VALUE) else setting.value
    return [ConvertedSetting([f"idle_kill_interval = {time}"], setting)]


def convert_limit(setting):
    """Leave out limits that 2.3 writes as 0 or the maximum: both mean the default."""
    is_needed = setting.value != "0" and not setting.value.startswith(DEFAULT_VALUE)
    return [
        ConvertedSetting(
            [format_assignment(setting.name, setting.value)] if is_needed else [], setting
        )
    ]


def convert_zero_limit(setting):
    number = "unlimited" if setting.value == "0" else setting.value
    return [ConvertedSetting([format_assignment(setting.name, number)], setting)]


def mark_unconverted(setting):
    return [UnconvertedSetting(setting)] if setting.value else [ConvertedSetting([], setting)]


# Kind of block ("" for all, file for those that stand outside of any but filters) → name → how
SETTING_CONVERTERS = {
    "": {
        "auth_mechanisms": convert_mechanisms,
        "mail_plugins": convert_plugins,
        "pop3_uidl_format": convert_uidl_format,
        "imap_capability": convert_imap_capability,
    }
    | dict.fromkeys(STRING_LIST_SETTINGS, mark_unconverted)
    | dict.fromkeys(ZERO_UNLIMITED_SETTINGS, convert_zero_limit),
    "file": {
        "dsync_remote_cmd": convert_dsync_command,
        "mail_location": convert_location,
        "ssl_options": convert_ssl_options,
        "ssl_protocols": convert_ssl_protocols,
        "ssl_prefer_server_ciphers": convert_prefer_ciphers,
        "verbose_ssl": convert_verbose_ssl,
    },
    "inet_listener": {"address": rename_setting("listen")},
    "service": {
        "client_limit": convert_limit,
        "idle_kill": convert_idle_kill,
        "process_limit": convert_limit,
        "service_count": convert_service_count,
        "vsz_limit": convert_limit,
    },
}
