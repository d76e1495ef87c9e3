"""Convert a configuration of Dovecot 2.3, block by block."""

import re

from mailboxes.mailserver.config_parser import names
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, is_package_file
from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import ConfigBlock, is_yes
from mailboxes.mailserver.converter.authentication import AuthenticationConverter
from mailboxes.mailserver.converter.database import ConnectionFiles, convert_dictionary
from mailboxes.mailserver.converter.locations import convert_location, find_inherited_options
from mailboxes.mailserver.converter.plugin import PluginContext, convert_plugin_setting
from mailboxes.mailserver.converter.result import (
    ConvertedBlock,
    ConvertedSetting,
    Results,
    Section,
    SettingResult,
    UnconvertedSetting,
    assign,
    drop,
    format_assignment,
    format_block,
    format_header,
    mark_unconverted,
    try_convert,
)
from mailboxes.mailserver.converter.settings import convert_plain_setting, find_converter
from mailboxes.mailserver.converter.variables import convert_variables

VERSION_LINES = ["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"]
DEFAULT_PROTOCOLS = "imap pop3 lmtp"  # the default of 2.3; 2.4 has none
WEAK_SCHEME_LINES = [
    "# Allow password schemes that 2.3 accepts and 2.4 considers weak.",
    "auth_allow_weak_schemes = yes",
]
REMOVED_SERVICES = ("director", "ipc", "old-stats", "replicator", "aggregator", "auth-vlogin")
ATTACHMENT_SETTINGS = ("mail_attachment_dir", "mail_attachment_fs")
DEFAULT_ATTACHMENT_FS = "sis posix"  # mail_attachment_fs, if it is not set
UNKNOWN_VARIABLE_RE = re.compile(r"=\s*\$\w+\s*$")


class Conversion:
    """A configuration of Dovecot 2.3 as sections of 2.4, in the order in which 2.3 reads it."""

    def __init__(self, files: DovecotFiles) -> None:
        self.dovecot = files
        self.connections = ConnectionFiles()
        self.unnamed_count = 0
        self.inherited_options = find_inherited_options(files.root)
        self.plugin_context = PluginContext.of(files.root)
        self.authentication = AuthenticationConverter(
            files, self.connections, self.inherited_options
        )

    @property
    def lost_restrictions(self) -> list[ConfigBlock]:
        return self.authentication.lost_restrictions

    def sections(self) -> list[Section]:
        packaged = self.dovecot.packaged_includes
        lines = [*VERSION_LINES, "", *(f"!include_try {pattern}" for pattern in packaged)]
        if not packaged and not self.dovecot.root.setting("protocols"):
            lines.append(f"protocols = {DEFAULT_PROTOCOLS}")
        return [*lines, *WEAK_SCHEME_LINES, "", *self._convert_children(self.dovecot.root)]

    def _convert_children(self, block: ConfigBlock) -> list[Section]:
        sections: list[Section] = []
        for child in block.children:
            if is_package_file(child.line.file):
                continue
            if isinstance(child, ConfigSetting):
                sections += try_convert(child, self._convert_setting(child, block.kind))
            else:
                sections += self._convert_block(child)
        return sections

    # Blocks

    def _convert_block(self, block: ConfigBlock) -> list[Section]:
        if block.kind in ("passdb", "userdb"):
            return self.authentication.convert_block(block)
        if block.kind == "plugin":
            return [result for each in block.settings() for result in self._convert_plugin(each)]
        if block.kind == "dict":
            inner = [self._convert_dictionary(each) for each in block.settings()]
            return [ConvertedBlock("dict_server", block.line, inner, "dict")]
        if block.kind == "service" and block.name in REMOVED_SERVICES:
            service = ConfigSetting(block.kind, block.name, (block.line,))
            return [UnconvertedSetting(service)] if any(block.walk()) else []
        if block.kind == "namespace" and shows_other_users(block):
            return [UnconvertedSetting(setting, "%%") for _path, setting in block.walk()]
        header, old_header = self._get_new_header(block), format_header(block.kind, block.name)
        return [ConvertedBlock(header, block.line, self._convert_children(block), old_header)]

    def _convert_dictionary(self, setting: ConfigSetting) -> Section:
        return convert_dictionary(setting, self.dovecot, self.connections)

    def _convert_plugin(self, setting: ConfigSetting) -> list[SettingResult]:
        return try_convert(setting, convert_plugin_setting(setting, self.plugin_context))

    def _get_new_header(self, block: ConfigBlock) -> str:
        """Return the header, with a name for namespaces and listeners that have none."""
        if block.kind == "inet_listener" and not block.name:
            return format_header("inet_listener", f"port-{block.value('port', '0')}")
        if block.kind == "protocol" and block.name == "sieve" and is_of_plugins(block):
            return format_header("protocol", "managesieve")
        if block.kind != "namespace" or block.name:
            return format_header(block.kind, block.name)
        self.unnamed_count += 1
        is_inbox = is_yes(block.value("inbox"))
        return format_header("namespace", "inbox" if is_inbox else f"more{self.unnamed_count}")

    # Settings

    def _convert_setting(self, setting: ConfigSetting, kind: str) -> Results:
        name, value = setting.name, setting.value
        replacement = names.find_replacement(name, kind)
        if not value and name != "mail_plugins" and UNKNOWN_VARIABLE_RE.search(setting.line.text):
            yield UnconvertedSetting(setting)  # `$name` of an unknown setting
        elif name in ATTACHMENT_SETTINGS:
            yield self._convert_attachments(setting)
        elif kind == "namespace" and name == "location":
            yield from convert_location(setting, {"INBOX", *self.inherited_options})
        elif converter := find_converter(name, kind):
            yield from converter(setting)
        elif name in names.FILE_SETTINGS:
            path = value.lstrip("<")
            yield assign(setting, names.FILE_SETTINGS[name], path) if value else drop(setting)
        elif name in names.INVERTED_SETTINGS:
            yield self._invert(setting, kind)
        elif replacement is not None and name not in names.RENAMED_SETTINGS:
            yield mark_unconverted(setting, replacement)
        else:
            yield convert_plain_setting(setting)

    def _invert(self, setting: ConfigSetting, kind: str) -> SettingResult:
        value = "no" if is_yes(setting.value) else "yes"
        if value == "yes" and kind == "file" and self.dovecot.value("ssl") == "required":
            return drop(setting)  # 2.4 refuses it, and 2.3 ignores it
        return assign(setting, names.INVERTED_SETTINGS[setting.name], value)

    def _convert_attachments(self, setting: ConfigSetting) -> SettingResult:
        """Convert both settings to one block: 2.4 has no default file system for attachments."""
        filesystem = self.dovecot.value("mail_attachment_fs") or DEFAULT_ATTACHMENT_FS
        if not setting.value or filesystem not in (DEFAULT_ATTACHMENT_FS, "posix"):
            return mark_unconverted(setting, "mail_ext_attachment { fs … }")
        if setting.name == "mail_attachment_fs":
            return drop(setting)
        inner = [line for name in filesystem.split() for line in format_block("fs", name, [])]
        path = format_assignment("mail_ext_attachment_path", convert_variables(setting.value))
        return ConvertedSetting([path, *format_block("mail_ext_attachment", "", inner)], setting)


def is_of_plugins(block: ConfigBlock) -> bool:
    """Check whether a block is about plugins alone: for them 2.4 names ManageSieve in full."""
    settings = [each.name for each in block.settings()]
    return set(settings) <= {"mail_plugins"} and bool(block.blocks("plugin"))


def shows_other_users(namespace: ConfigBlock) -> bool:
    """Check whether a namespace shows other users' folders, by %%u, which 2.4 does not have."""
    return "%%" in namespace.value("prefix") + namespace.value("location")
