"""Findings about people's own filters."""

import re

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks import paths
from mailboxes.mailserver.checks.finding import WARNING, ConfigCheck, Fault
from mailboxes.mailserver.config_parser.tree import split_list_value

HOME_PLACEHOLDERS = ("~", "%h", "%{home}")
DEFAULT_ACTIVE_SCRIPT = "~/.dovecot.sieve"  # of the active script
HIDDEN_FILE_RE = re.compile(rf"({'|'.join(map(re.escape, HOME_PLACEHOLDERS))})/\.[^/]*")
ACTIVE_OPTION_RE = re.compile(r";active=([^;]*)")


class SieveScriptIsFolder(ConfigCheck):
    code = "sieve-script-is-a-folder"
    severity = WARNING
    title = _("The active Sieve script lies in the maildir, where its name is that of a folder")
    reason = _(
        "Home and maildir are one, and what begins with a dot there is a folder of mail: people "
        "see “dovecot.sieve”, and where quotas are counted LMTP defers all their mail."
    )
    fix = _(
        "Let it begin with a letter: sieve = file:~/sieve;active=~/active.sieve (Dovecot 2.4: "
        "sieve_script personal { active_path = ~/active.sieve }), and move what is there."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration):
        is_delivered_here = configuration.postfix and configuration.delivers_with_virtual
        dovecot = configuration.dovecot
        if is_delivered_here or not uses_sieve(dovecot) or not is_home_maildir(dovecot):
            return
        path, line = find_active_script(dovecot)
        if HIDDEN_FILE_RE.fullmatch(path):
            yield Fault(line, path)


def uses_sieve(dovecot):
    return any(
        "sieve" in split_list_value(block.value("mail_plugins"))
        for block in (dovecot.root, *dovecot.blocks("protocol"))
    )


def find_active_script(dovecot):
    """Where it is, and the line that says so."""
    for block in dovecot.blocks("plugin"):
        if setting := block.setting("sieve"):
            found = ACTIVE_OPTION_RE.search(setting.value)
            return found[1] if found else DEFAULT_ACTIVE_SCRIPT, setting.line
    for block in dovecot.blocks("sieve_script"):
        if setting := block.setting("active_path") or block.setting("sieve_script_active_path"):
            return setting.value, setting.line
    return DEFAULT_ACTIVE_SCRIPT, dovecot.where("mail_plugins")


def is_home_maildir(dovecot):
    """Whether mail is kept in the home itself, for all or for those whom a query answers so."""
    setting = dovecot.root.setting("mail_path") or dovecot.root.setting("mail_location")
    general = paths.get_location_path(setting.value).rstrip("/") if setting else ""
    is_maildir = "maildir" in (dovecot.value("mail_driver"), dovecot.value("mail_location")[:7])
    said = [
        paths.parse_path_fields(database.value("user_query")) for database in dovecot.userdbs()
    ] or [{}]
    return any(_is_mail_in_home(made, general if is_maildir else "") for made in said)


def _is_mail_in_home(made, general):
    mail = next((made[field] for field in paths.MAIL_FIELDS if field in made), None)
    home = next((made[field] for field in paths.HOME_FIELDS if field in made), None)
    if mail is None:
        return general in HOME_PLACEHOLDERS
    return home is not None and paths.get_location_path(mail).rstrip("/") == home.rstrip("/")


CONFIG_CHECKS = (SieveScriptIsFolder(),)
