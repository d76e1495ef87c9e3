"""Checks of the Dovecot version that the files are written for."""

import re
from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailadmin.passwords.strength import REJECTED_SCHEMES
from mailboxes.mailserver.checks.finding import (
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
)
from mailboxes.mailserver.checks.logins import get_stored_schemes, iter_sql_passdbs
from mailboxes.mailserver.checks.rows import EMPTY_FACTS
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.dovecot import Blocks, DovecotFiles, is_package_file
from mailboxes.mailserver.config_parser.lines import ConfigSetting, Line
from mailboxes.mailserver.config_parser.names import (
    REMOVED_PLUGINS,
    find_2_4_line,
    find_replacement,
    is_for_2_4,
)
from mailboxes.mailserver.config_parser.tree import LIST_SETTINGS, VERSION_SETTING, is_yes

STORAGE_VERSION = "dovecot_storage_version"
CONFIG_VERSION_RE = re.compile(r"2\.4\.\d+")
PATH_SETTINGS = frozenset(
    {"mail_path", "mail_home", "mail_inbox_path", "auth_username_format", "home"}
    | {"mail_alt_path", "mail_control_path", "mail_index_path", "mail_volatile_path"}
    | {"postmaster_address"}
)
# Kind of block → settings that contain variables only there.
PATH_SETTINGS_BY_BLOCK = {"execute": ("args",), "sieve_script": ("path", "active_path")}
EXTENSION_SETTINGS = ("sieve_extensions", "sieve_global_extensions")
LETTER_VARIABLE_RE = re.compile(r"(?<![%\w])%[LUT]?[undhs](?!\w)")
# In a query `%d` may be the day of a date: only a whole string, or a part of a path or address.
LETTER_VARIABLE_IN_QUERY_RE = re.compile(r"(?<=['/@])%[LU]?[undh](?=['/@])")
OLD_LIST_VARIABLE_RE = re.compile(r"\$(?!SET:|ENV:)\w+")
# Whether the files are for 2.4 → fields of the other version, with their names in this one.
RENAMED_USERDB_FIELDS = {
    True: {"quota_rule": "quota_storage_size", "mail": "mail_path"},
    False: {"quota_storage_size": "quota_rule", "mail_path": "mail", "mail_driver": "mail"},
}


class FilesForAnotherDovecot(ConfigCheck):
    code = "files-for-another-dovecot"
    severity = ERROR
    title = _("The files are for a different Dovecot version than the installed one")
    reason = _(
        "Dovecot 2.4 does not start with files for 2.3, and 2.3 does not start with files for 2.4."
    )
    fix = _(
        "Run “mailadmin mailserver upgrade --dovecot DIR” to convert 2.3 files to 2.4, or"
        " “mailadmin mailserver config” to generate new ones."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot, installed = configuration.dovecot, configuration.dovecot_version
        written_for = "2.4" if is_for_2_4(dovecot) else "2.3"
        if installed and installed != written_for:
            yield Fault(dovecot.first_line or dovecot.root.line, f"{written_for} ≠ {installed}")


class DovecotVersionMissing(ConfigCheck):
    code = "dovecot-version-missing"
    severity = ERROR
    title = _("The Dovecot files do not name their version")
    reason = _(
        "Dovecot 2.4 does not start without dovecot_config_version and dovecot_storage_version."
    )
    fix = _(
        "Start dovecot.conf with dovecot_config_version = 2.4.0, followed by"
        " dovecot_storage_version = 2.4.0"
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        if not dovecot.is_version_2_4 and (line := find_2_4_line(dovecot)):
            yield Fault(line, VERSION_SETTING)
        elif dovecot.is_version_2_4 and not dovecot.root.setting(STORAGE_VERSION):
            yield Fault(dovecot.get_line(VERSION_SETTING), STORAGE_VERSION)


class DovecotVersionNotFirst(ConfigCheck):
    code = "dovecot-version-not-first"
    severity = ERROR
    title = _("dovecot_config_version is not the first setting")
    reason = _("Dovecot 2.4 does not start: “The first setting must be dovecot_config_version”.")
    fix = _("Make it the first line of dovecot.conf, before every !include.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        if dovecot.is_version_2_4 and dovecot.first_line != dovecot.get_line(VERSION_SETTING):
            yield Fault(dovecot.first_line or dovecot.root.line)


class DovecotVersionUnknown(ConfigCheck):
    code = "dovecot-version-unknown"
    severity = ERROR
    title = _("dovecot_config_version is set to a version that Dovecot does not accept")
    reason = _("Dovecot 2.4 does not start: “Invalid dovecot_config_version”.")
    fix = _("Use a 2.4 version that is not newer than the installed one, such as 2.4.0.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        value = configuration.dovecot.value(VERSION_SETTING)
        if value and not CONFIG_VERSION_RE.fullmatch(value):
            yield Fault(configuration.dovecot.get_line(VERSION_SETTING), value)


class OlderDovecotCheck(ConfigCheck):
    """Base of checks for syntax of Dovecot 2.3 in files that are written for 2.4."""

    severity = ERROR
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        if is_for_2_4(configuration.dovecot):
            yield from self.find_faults_in(configuration.dovecot)

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        raise NotImplementedError


class SettingOfOlderDovecot(OlderDovecotCheck):
    code = "setting-of-older-dovecot"
    title = _("Dovecot 2.3 setting in a Dovecot 2.4 configuration")
    reason = _("Dovecot 2.4 does not start: “Unknown setting”.")
    fix = _("Use the name after the arrow. If there is none, delete the line.")

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        for path, setting in dovecot.root.walk():
            replacement = find_replacement(setting.name, path[-1].kind)
            if replacement is not None:
                yield Fault(setting.line, f"{setting.name} → {replacement}".removesuffix(" → "))


class BlockOfOlderDovecot(OlderDovecotCheck):
    code = "block-of-older-dovecot"
    title = _("Dovecot 2.3 block in a Dovecot 2.4 configuration")
    reason = _(
        "Dovecot 2.4 does not start: it knows no plugin { }, and passdb, userdb and dict need a "
        "name."
    )
    fix = _(
        "Move the settings out of plugin { }. Name the other blocks after their driver:"
        " passdb sql { }."
    )

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        for block in dovecot.root.walk_blocks():
            is_nameless = block.kind in ("passdb", "userdb", "dict") and not block.name
            if is_nameless or block.kind == "plugin":
                yield Fault(block.line, f"{block.kind} {{ }}")


class VariableOfOlderDovecot(OlderDovecotCheck):
    code = "variable-of-older-dovecot"
    title = _("Dovecot 2.3 variable in a Dovecot 2.4 configuration")
    reason = _(
        "Dovecot 2.4 does not expand it: mail goes to a folder literally named %d, users"
        " are not found and plugins are not loaded."
    )
    fix = _(
        "Use %{user}, %{user | username}, %{user | domain}, %{user | lower}, %{home}."
        " Replace mail_plugins = $mail_plugins quota with mail_plugins { quota = yes }."
    )

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        for path, setting in dovecot.root.walk():
            if is_package_file(setting.line.file):
                continue
            for found in self._find_old_variables(setting, path[-1].kind):
                yield Fault(setting.find_line(found), f"{setting.name}: {found}")

    @staticmethod
    def _find_old_variables(setting: ConfigSetting, kind: str) -> list[str]:
        if setting.name.endswith("query"):
            return LETTER_VARIABLE_IN_QUERY_RE.findall(setting.value)
        words = OLD_LIST_VARIABLE_RE.findall(setting.value) if setting.name in LIST_SETTINGS else []
        is_path = setting.name in (*PATH_SETTINGS, *PATH_SETTINGS_BY_BLOCK.get(kind, ()))
        return words + (LETTER_VARIABLE_RE.findall(setting.value) if is_path else [])


class ValueOfOlderDovecot(OlderDovecotCheck):
    code = "value-of-older-dovecot"
    title = _("Dovecot 2.3 value in a Dovecot 2.4 configuration")
    reason = _(
        "Dovecot 2.4 has no such plugin, so sign-ins fail; it reads +extension as the"
        " whole list of Sieve extensions; and it does not start with auth_allow_cleartext"
        " = yes if ssl = required."
    )
    fix = _(
        "Delete the plugin and auth_allow_cleartext. Use sieve_extensions { NAME = yes }"
        " instead of +NAME."
    )

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        for path, setting in dovecot.root.walk():
            for found in self._find_old_words(path, setting):
                yield Fault(setting.line, f"{setting.name}: {found}")
        cleartext = dovecot.root.setting("auth_allow_cleartext")
        if cleartext and is_yes(cleartext.value) and dovecot.value("ssl") == "required":
            yield Fault(cleartext.line, "auth_allow_cleartext")

    @staticmethod
    def _find_old_words(path: Blocks, setting: ConfigSetting) -> list[str]:
        words = setting.value.split()
        if setting.name == "mail_plugins":
            return [word for word in words if word in REMOVED_PLUGINS]
        if path[-1].kind == "mail_plugins" and is_yes(setting.value):
            return [name for name in [setting.name] if name in REMOVED_PLUGINS]
        is_change = setting.name in EXTENSION_SETTINGS
        return [word for word in words if is_change and word[0] in "+-"]


class FieldOfAnotherDovecot(ConfigCheck):
    code = "field-of-another-dovecot"
    severity = ERROR
    title = _("user_query returns a field that this version of Dovecot ignores")
    reason = _(
        "Quotas: quota_rule is for 2.3, quota_storage_size for 2.4. Mail location: mail"
        " is for 2.3, mail_path for 2.4. The other version ignores the field, so there is"
        " no quota or another folder is used."
    )
    fix = _("Return the field after the arrow instead.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        renamed = RENAMED_USERDB_FIELDS[is_for_2_4(dovecot)]
        for field, line in (*self._iter_query_fields(dovecot), *self._iter_static_fields(dovecot)):
            if field in renamed:
                yield Fault(line, f"{field} → {renamed[field]}")

    @staticmethod
    def _iter_query_fields(dovecot: DovecotFiles) -> Iterator[tuple[str, Line]]:
        """Yield the userdb fields that queries return; in a password query they have a prefix."""
        for database in [*dovecot.userdbs(), *dovecot.passdbs()]:
            for name, prefix in (("user_query", ""), ("password_query", "userdb_")):
                for select in sql.parse_selects(database.value(name)):
                    for _expression, field in sql.parse_columns(select.columns):
                        if field.startswith(prefix):
                            yield field.removeprefix(prefix), database.get_line(name)

    @staticmethod
    def _iter_static_fields(dovecot: DovecotFiles) -> Iterator[tuple[str, Line]]:
        """Yield the userdb fields that are set for all users, by fields { … } of 2.4."""
        for kind, prefix in (("userdb", ""), ("passdb", "userdb_")):
            for _parents, block in dovecot.authentication(kind):
                for fields in block.blocks("fields"):
                    for _path, setting in fields.walk():
                        name = setting.name.partition(":")[0]
                        if name.startswith(prefix):
                            yield name.removeprefix(prefix), setting.line


class SeveralMySQLBlocks(OlderDovecotCheck):
    code = "several-mysql-blocks"
    severity = WARNING
    title = _("Sign-ins fail while one of several database hosts is unreachable")
    reason = _(
        "Dovecot 2.4 connects to each mysql { } block. The process that retries an"
        " unreachable host crashes, and the sign-in in progress fails."
    )
    fix = _(
        "Use one block with a list of hosts, which are tried in order: mysql database"
        " { host = HOST:PORT,HOST:PORT }."
    )

    def find_faults_in(self, dovecot: DovecotFiles) -> Faults:
        for block in (dovecot.root, *dovecot.root.walk_blocks()):
            hosts = block.blocks("mysql")
            if len(hosts) > 1:
                yield Fault(hosts[1].line, ", ".join(host.name for host in hosts))


class WeakSchemeRefused(ConfigCheck):
    code = "weak-scheme-refused"
    severity = ERROR
    title = _("Passwords are stored in a scheme that Dovecot 2.4 rejects")
    reason = _("Their owners cannot sign in: “Weak password scheme used and refused”.")
    fix = _(
        "Set auth_allow_weak_schemes = yes until these passwords are changed"
        " (MAILADMIN_PASSWORD_SCHEME, MAILADMIN_PASSWORD_REHASH)."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        if not dovecot.is_version_2_4 or is_yes(dovecot.value("auth_allow_weak_schemes")):
            return
        for _database, line, scheme in iter_sql_passdbs(configuration):
            unprefixed = get_stored_schemes(configuration, prefixed=False)
            names = {*get_stored_schemes(configuration, prefixed=True), *unprefixed}
            if unprefixed or configuration.rows is EMPTY_FACTS:
                names.add(scheme)
            for name in sorted(names & REJECTED_SCHEMES):
                yield Fault(line, name)


CONFIG_CHECKS = (
    FilesForAnotherDovecot(),
    DovecotVersionMissing(),
    DovecotVersionNotFirst(),
    DovecotVersionUnknown(),
    SettingOfOlderDovecot(),
    BlockOfOlderDovecot(),
    VariableOfOlderDovecot(),
    ValueOfOlderDovecot(),
    FieldOfAnotherDovecot(),
    SeveralMySQLBlocks(),
    WeakSchemeRefused(),
)
