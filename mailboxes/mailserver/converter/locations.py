"""mail_location of 2.3, one value with options, as the settings of 2.4 that it becomes."""

import re
from typing import NamedTuple

from mailboxes.mailserver.converter.result import (
    ConvertedSetting,
    UnconvertedSetting,
    format_assignment,
)
from mailboxes.mailserver.converter.variables import (
    LETTER_VARIABLES,
    UnconvertibleValue,
    convert_variables,
)

# Options of mail_location.
LOCATION_OPTIONS = {
    "ALT": "mail_alt_path",
    "CONTROL": "mail_control_path",
    "DIRNAME": "mailbox_directory_name",
    "INBOX": "mail_inbox_path",
    "INDEX": "mail_index_path",
    "INDEXPVT": "mail_index_private_path",
    "LAYOUT": "mailbox_list_layout",
    "MAILBOXDIR": "mailbox_root_directory_name",
    "SUBSCRIPTIONS": "mailbox_subscriptions_filename",
    "VOLATILEDIR": "mail_volatile_path",
}
# Options that have no value where they are not set: those are beside the mail, or not used.
EMPTY_OPTIONS = ("ALT", "CONTROL", "INDEX", "INDEXPVT", "VOLATILEDIR")
OPTION_RE = re.compile(rf":({'|'.join(LOCATION_OPTIONS)}|UTF-8)(?:=|:|$|(?=['\"\s]))")
MAILDIR_DRIVER = "maildir"


class MailLocation(NamedTuple):
    """`maildir:~/Maildir:INDEX=…` in its parts."""

    settings: dict  # of 2.4
    unknown: list  # options that 2.4 has no setting for


def find_options(text):
    """The options that a location sets."""
    return set(OPTION_RE.findall(text))


def find_inherited_options(root):
    """Options that a place of its own would take over in 2.4; in 2.3 it replaces them all."""
    found = (
        setting.value
        for _blocks, setting in root.walk()
        if setting.name in ("mail_location", "default_fields")
    )
    return {name for value in found for name in find_options(value)}


def get_default_inbox(driver):
    """Where INBOX is, if that is not set: with maildir the folder itself."""
    return "." if driver == MAILDIR_DRIVER else ""


def get_default_layout(driver):
    return "maildir++" if driver == MAILDIR_DRIVER else "fs"


def parse_location(text, inherited=(), letters=LETTER_VARIABLES):
    """The settings of a location, what it would inherit set back; None if it is not one."""
    driver, colon, rest = text.partition(":")
    if not colon:
        return None
    path, *options = (convert_variables(part, letters) for part in rest.split(":"))
    known = dict(option.partition("=")[::2] for option in options)
    if driver == MAILDIR_DRIVER or inherited:
        known.setdefault("INBOX", get_default_inbox(driver))
    for name in sorted(set(inherited) - known.keys()):
        known[name] = get_default_option(name, driver)
    settings = {"mail_driver": driver, "mail_path": path}
    settings |= {
        LOCATION_OPTIONS[name]: value for name, value in known.items() if name in LOCATION_OPTIONS
    }
    if "UTF-8" in known:
        settings["mailbox_list_utf8"] = known["UTF-8"] or "yes"
    unknown = [name for name in known if name not in LOCATION_OPTIONS and name != "UTF-8"]
    return MailLocation(settings, unknown)


def get_default_option(name, driver):
    """The value of an option where it is not set."""
    if name in EMPTY_OPTIONS:
        return ""
    if name == "LAYOUT":
        return get_default_layout(driver)
    if name == "UTF-8":
        return "no"
    raise UnconvertibleValue(f"{LOCATION_OPTIONS[name]} of mail_location")


def convert_location(setting, inherited=()):
    """mail_location, and location of a namespace."""
    found = parse_location(setting.value, inherited)
    if not found:
        return [UnconvertedSetting(setting)] if setting.value else [ConvertedSetting([], setting)]
    lines = [format_assignment(name, value) for name, value in found.settings.items()]
    unknown = ":".join(found.unknown)
    return [
        ConvertedSetting(lines, setting),
        *([UnconvertedSetting(setting, unknown)] if unknown else []),
    ]


def convert_mail_field(value, inherited, letters):
    """The fields instead of `mail` where passdb or userdb return the same for all."""
    found = parse_location(value, {"INBOX", *inherited}, letters)
    if not found or found.unknown:
        raise UnconvertibleValue(f"mail={value}")
    return found.settings
