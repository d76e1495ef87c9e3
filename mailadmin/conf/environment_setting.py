"""The declaration of one environment variable."""

from collections.abc import Callable
from typing import NamedTuple


class EnvironmentSetting(NamedTuple):
    """One variable; the value of a secret may also be in the file that `<name>_FILE` names."""

    name: str
    default: str
    parse: Callable[[str], object]
    help_text: str
    secret: bool = False
