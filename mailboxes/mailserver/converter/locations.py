"""mail_location of 2.3, one value with options, as the settings of 2.4 that it becomes."""

import re
from typing import NamedTuple

from mailboxes.mailserver.converter.result import Lost, Made, assignment
from mailboxes.mailserver.converter.variables import LETTERS, Untranslatable, converted

# Options of mail_location.
PLACES = {
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
EMPTY = ("ALT", "CONTROL", "INDEX", "INDEXPVT", "VOLATILEDIR")
OPTION = re.compile(rf":({'|'.join(PLACES)}|UTF-8)(?:=|:|$|(?=['\"\s]))")
MAILDIR = "maildir"


class Location(NamedTuple):
    """`maildir:~/Maildir:INDEX=…` in its parts."""

    settings: dict  # of 2.4
    unknown: list  # options that 2.4 has no setting for


def options_in(text):
    """The options that a location sets."""
    return set(OPTION.findall(text))


def inherited_options(root):
    """Options that a place of its own would take over in 2.4; in 2.3 it replaces them all."""
    found = (
        setting.value
        for _blocks, setting in root.walk()
        if setting.name in ("mail_location", "default_fields")
    )
    return {name for value in found for name in options_in(value)}


def inbox(driver):
    """Where INBOX is, if that is not set: with maildir the folder itself."""
    return "." if driver == MAILDIR else ""


def layout(driver):
    return "maildir++" if driver == MAILDIR else "fs"


def parts(text, inherited=(), letters=LETTERS):
    """The settings of a location, what it would inherit set back; None if it is not one."""
    driver, colon, rest = text.partition(":")
    if not colon:
        return None
    path, *options = (converted(part, letters) for part in rest.split(":"))
    known = dict(option.partition("=")[::2] for option in options)
    if driver == MAILDIR or inherited:
        known.setdefault("INBOX", inbox(driver))
    for name in sorted(set(inherited) - known.keys()):
        known[name] = unset(name, driver)
    settings = {"mail_driver": driver, "mail_path": path}
    settings |= {PLACES[name]: value for name, value in known.items() if name in PLACES}
    if "UTF-8" in known:
        settings["mailbox_list_utf8"] = known["UTF-8"] or "yes"
    unknown = [name for name in known if name not in PLACES and name != "UTF-8"]
    return Location(settings, unknown)


def unset(name, driver):
    """The value of an option where it is not set."""
    if name in EMPTY:
        return ""
    if name == "LAYOUT":
        return layout(driver)
    if name == "UTF-8":
        return "no"
    raise Untranslatable(f"{PLACES[name]} of mail_location")


def location(setting, inherited=()):
    """mail_location, and location of a namespace."""
    found = parts(setting.value, inherited)
    if not found:
        return [Lost(setting)] if setting.value else [Made([], setting)]
    lines = [assignment(name, value) for name, value in found.settings.items()]
    unknown = ":".join(found.unknown)
    return [Made(lines, setting), *([Lost(setting, unknown)] if unknown else [])]


def place_in_fields(value, inherited, letters):
    """The fields instead of `mail` where passdb or userdb return the same for all."""
    found = parts(value, {"INBOX", *inherited}, letters)
    if not found or found.unknown:
        raise Untranslatable(f"mail={value}")
    return found.settings
