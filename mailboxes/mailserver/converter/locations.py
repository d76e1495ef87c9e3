"""Convert mail_location of 2.3, one value with options, to the settings of 2.4."""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from mailboxes.mailserver.config_parser.lines import ConfigSetting
from mailboxes.mailserver.config_parser.tree import ConfigBlock
from mailboxes.mailserver.converter.result import (
    ConvertedSetting,
    Results,
    UnconvertedSetting,
    format_assignment,
    mark_unconverted,
)
from mailboxes.mailserver.converter.variables import (
    LETTER_VARIABLES,
    UnconvertibleValue,
    convert_variables,
)

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
# Options that are empty by default.
EMPTY_OPTIONS = ("ALT", "CONTROL", "INDEX", "INDEXPVT", "VOLATILEDIR")
OPTION_RE = re.compile(rf":({'|'.join(LOCATION_OPTIONS)}|UTF-8)(?:=|:|$|(?=['\"\s]))")
MAILDIR_DRIVER = "maildir"


class MailLocation(NamedTuple):
    """A parsed location, such as `maildir:~/Maildir:INDEX=…`."""

    settings: dict[str, str]  # of 2.4
    unknown: list[str]  # options without a setting in 2.4


def find_options(text: str) -> set[str]:
    """Return the options that a location sets."""
    return set(OPTION_RE.findall(text))


def find_inherited_options(root: ConfigBlock) -> set[str]:
    """Return the options that a location of a user would inherit in 2.4; in 2.3 it replaces all."""
    found = (
        setting.value
        for _blocks, setting in root.walk()
        if setting.name in ("mail_location", "default_fields")
    )
    return {name for value in found for name in find_options(value)}


def get_default_inbox(driver: str) -> str:
    """Return the default location of INBOX: with maildir the folder itself."""
    return "." if driver == MAILDIR_DRIVER else ""


def get_default_layout(driver: str) -> str:
    return "maildir++" if driver == MAILDIR_DRIVER else "fs"


def parse_location(
    text: str, inherited: Collection[str] = (), letters: Mapping[str, str] = LETTER_VARIABLES
) -> MailLocation | None:
    """Return the settings of a location, with inherited ones reset; None for other text."""
    driver, colon, rest = text.partition(":")
    if not colon:
        return None
    path, *options = (convert_variables(part, letters) for part in rest.split(":"))
    values = dict(option.partition("=")[::2] for option in options)
    if driver == MAILDIR_DRIVER or inherited:
        values.setdefault("INBOX", get_default_inbox(driver))
    for name in sorted(set(inherited) - values.keys()):
        values[name] = get_default_option(name, driver)
    settings = {"mail_driver": driver, "mail_path": path}
    settings |= {
        LOCATION_OPTIONS[name]: value for name, value in values.items() if name in LOCATION_OPTIONS
    }
    if "UTF-8" in values:
        settings["mailbox_list_utf8"] = values["UTF-8"] or "yes"
    unknown = [name for name in values if name not in LOCATION_OPTIONS and name != "UTF-8"]
    return MailLocation(settings, unknown)


def get_default_option(name: str, driver: str) -> str:
    """Return the default value of an option."""
    if name in EMPTY_OPTIONS:
        return ""
    if name == "LAYOUT":
        return get_default_layout(driver)
    if name == "UTF-8":
        return "no"
    raise UnconvertibleValue(f"{LOCATION_OPTIONS[name]} of mail_location")


def convert_location(setting: ConfigSetting, inherited: Collection[str] = ()) -> Results:
    """Convert mail_location, or location of a namespace."""
    found = parse_location(setting.value, inherited)
    if not found:
        yield mark_unconverted(setting)
        return
    lines = [format_assignment(name, value) for name, value in found.settings.items()]
    yield ConvertedSetting(lines, setting)
    if found.unknown:
        yield UnconvertedSetting(setting, ":".join(found.unknown))


def convert_mail_field(
    value: str, inherited: Collection[str], letters: Mapping[str, str]
) -> dict[str, str]:
    """Return the fields that replace a static `mail` of a passdb or userdb."""
    found = parse_location(value, {"INBOX", *inherited}, letters)
    if not found or found.unknown:
        raise UnconvertibleValue(f"mail={value}")
    return found.settings
