"""Convert PostfixAdmin's options to the panel's settings, and report every single one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mailadmin.conf import SETTINGS
from mailadmin.conf.environment_setting import EnvironmentSetting
from mailboxes.postfixadmin.joint_settings import JOINT_SETTINGS, JointSetting
from mailboxes.postfixadmin.options import OPTIONS, Option
from mailboxes.postfixadmin.outcomes import (
    DEFAULT,
    NOT_CONVERTED,
    NOT_NEEDED,
    SET,
    NotConverted,
    NotNeeded,
    OptionOutcome,
    Options,
    normalize,
)
from mailboxes.postfixadmin.php_scope import Location, PhpScope
from mailboxes.postfixadmin.php_values import PhpValue, Unknown, find_unknown

UNCHECKED = ("DATABASE_URL",)  # its files may be readable for the panel's user only
MACHINE_DEFAULTS = ("TIME_ZONE",)  # the default is another one on another machine
NO_DEFAULTS = (
    "PostfixAdmin's config.inc.php was not read: options that your files do not set have its"
    " defaults, which may differ from the panel's. Name both files: config.inc.php config.local.php"
)


class Report(NamedTuple):
    """What became of all options, where they were set, and what could not be read."""

    outcomes: Sequence[OptionOutcome]
    locations: dict[str, Location]
    notes: Sequence[str]
    files: Sequence[str]

    def of_group(self, group: str) -> list[OptionOutcome]:
        return [outcome for outcome in self.outcomes if outcome.group == group]


def convert_scope(scope: PhpScope) -> Report:
    """Return the report on the options that were read."""
    # PostfixAdmin ships an option whose name ends with a blank.
    options: Options = {str(name).strip(): value for name, value in scope.options.items()}
    locations = {str(name).strip(): location for name, location in scope.set_at.items()}
    notes = list(dict.fromkeys(scope.notes))
    if "version" not in options:
        notes.append(NO_DEFAULTS)
    return Report(list(iter_outcomes(options)), locations, notes, scope.files)


def iter_outcomes(options: Options) -> Iterator[OptionOutcome]:
    """Yield what becomes of each option: first those that make a variable together."""
    reported: set[str] = set()
    for joint in JOINT_SETTINGS:
        if present := tuple(name for name in joint.options.split() if name in options):
            yield convert_joint(joint, present, options)
            reported.update(present)
    for name, value in options.items():
        if name in reported:
            continue
        option = OPTIONS.get(str(name))
        if option is None:
            text = "PostfixAdmin has no option of this name: check its spelling"
            yield OptionOutcome(NOT_CONVERTED, (str(name),), text=text)
        else:
            yield convert_option(str(name), option, value)


def convert_joint(joint: JointSetting, present: tuple[str, ...], options: Options) -> OptionOutcome:
    for name in present:
        if unknown := find_unknown(options[name]):
            return report_unknown(present, joint.variable, unknown)
    try:
        value = joint.build(options)
    except NotConverted as error:
        return OptionOutcome(NOT_CONVERTED, present, joint.variable, text=str(error))
    except NotNeeded as error:
        return OptionOutcome(NOT_NEEDED, present, joint.variable, text=str(error))
    return build_outcome(present, joint.variable, value)


def convert_option(name: str, option: Option, value: PhpValue) -> OptionOutcome:
    if not option.variable:
        return explain_option(name, option, value)
    variable = "" if option.variable == NOT_NEEDED else option.variable
    if unknown := find_unknown(value):
        return report_unknown((name,), variable, unknown)
    try:
        return build_outcome((name,), variable, option.convert(value))
    except NotConverted as error:
        return OptionOutcome(NOT_CONVERTED, (name,), variable, text=str(error))
    except NotNeeded as error:
        return OptionOutcome(NOT_NEEDED, (name,), variable, text=str(error))


def explain_option(name: str, option: Option, value: PhpValue) -> OptionOutcome:
    """Return why an option has no variable, or what to do instead."""
    is_neutral = not isinstance(value, Unknown) and normalize(value) in option.neutral
    if option.advice and not is_neutral:
        return OptionOutcome(NOT_CONVERTED, (name,), text=option.advice)
    return OptionOutcome(NOT_NEEDED, (name,), text=option.default_reason)


def report_unknown(names: tuple[str, ...], variable: str, unknown: Unknown) -> OptionOutcome:
    text = f"only PHP can compute it ({unknown.reason})"
    if variable:
        text += f": set MAILADMIN_{variable} by hand"
    return OptionOutcome(NOT_CONVERTED, names, variable, text=text)


def build_outcome(names: tuple[str, ...], variable: str, value: str) -> OptionOutcome:
    """Return a variable to set, unless its value is the default or makes no sense."""
    setting = get_setting(variable)
    if variable in UNCHECKED:
        return OptionOutcome(SET, names, variable, value)
    try:
        parsed, default = setting.parse(value), setting.parse(setting.default)
    except ValueError as error:
        shown = "" if setting.secret else f"{value!r} "
        text = f"the value {shown}{error}: set MAILADMIN_{variable} by hand"
        return OptionOutcome(NOT_CONVERTED, names, variable, text=text)
    is_default = parsed == default and variable not in MACHINE_DEFAULTS
    return OptionOutcome(DEFAULT if is_default else SET, names, variable, value)


def get_setting(variable: str) -> EnvironmentSetting:
    return next(each for each in SETTINGS if each.name == f"MAILADMIN_{variable}")
