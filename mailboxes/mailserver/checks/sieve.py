"""Checks of Sieve scripts."""

import re

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks import paths
from mailboxes.mailserver.checks.finding import WARNING, ConfigCheck, Configuration, Fault, Faults
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.tree import split_list_value

HOME_PLACEHOLDERS = ("~", "%h", "%{home}")
DEFAULT_ACTIVE_SCRIPT = "~/.dovecot.sieve"
HIDDEN_FILE_RE = re.compile(rf"({'|'.join(map(re.escape, HOME_PLACEHOLDERS))})/\.[^/]*")
ACTIVE_OPTION_RE = re.compile(r";active=([^;]*)")


class SieveScriptIsFolder(ConfigCheck):
    code = "sieve-script-is-a-folder"
    severity = WARNING
    title = _("The active Sieve script is in the maildir, where its name is that of a folder")
    reason = _(
        "Home and maildir are the same folder, where names that start with a dot are mail"
        " folders: users see a folder “dovecot.sieve”, and where quotas are counted, LMTP"
        " defers all their mail."
    )
    fix = _(
        "Use names that start with a letter: sieve = file:~/sieve;active=~/active.sieve"
        " (Dovecot 2.4: sieve_script personal { active_path = ~/active.sieve }), and move"
        " the existing files."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot = configuration.dovecot
        if configuration.delivers_with_virtual or not uses_sieve(dovecot):
            return
        path, line = find_active_script(dovecot)
        if is_home_maildir(dovecot) and HIDDEN_FILE_RE.fullmatch(path):
            yield Fault(line, path)


def uses_sieve(dovecot: DovecotFiles) -> bool:
    return any(
        "sieve" in split_list_value(block.value("mail_plugins"))
        for block in (dovecot.root, *dovecot.blocks("protocol"))
    )


def find_active_script(dovecot: DovecotFiles) -> tuple[str, Line]:
    """Return the path of the active script, and the line that sets it."""
    for block in dovecot.blocks("plugin"):
        if setting := block.setting("sieve"):
            found = ACTIVE_OPTION_RE.search(setting.value)
            return found[1] if found else DEFAULT_ACTIVE_SCRIPT, setting.line
    for block in dovecot.blocks("sieve_script"):
        if setting := block.setting("active_path") or block.setting("sieve_script_active_path"):
            return setting.value, setting.line
    return DEFAULT_ACTIVE_SCRIPT, dovecot.get_line("mail_plugins")


def is_home_maildir(dovecot: DovecotFiles) -> bool:
    """Check whether mail is kept in the home itself, for all users or for those of a query."""
    setting = paths.get_mail_setting(dovecot)
    default = paths.get_location_path(setting.value).rstrip("/") if setting else ""
    is_maildir = "maildir" in (dovecot.value("mail_driver"), dovecot.value("mail_location")[:7])
    queries = [database.value("user_query") for database in dovecot.userdbs()] or [""]
    return any(
        _is_mail_in_home(paths.parse_path_fields(query), default if is_maildir else "")
        for query in queries
    )


def _is_mail_in_home(fields: paths.PathFields, default: str) -> bool:
    mail, home = paths.get_mail_and_home(fields)
    if mail is None:
        return default in HOME_PLACEHOLDERS
    return home is not None and paths.get_location_path(mail).rstrip("/") == home.rstrip("/")


CONFIG_CHECKS = (SieveScriptIsFolder(),)
