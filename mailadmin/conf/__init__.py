"""Read the environment into Django settings of the same names; `settings_table` declares them.

Uses only the standard library: deploy/run reads the settings before anything is installed.
"""

import difflib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from mailadmin.conf.client_servers import iter_client_conflicts
from mailadmin.conf.container_environment import (
    LABELS,
    build_container_settings,
    find_unknown_variables,
)
from mailadmin.conf.hook_settings import iter_hook_conflicts
from mailadmin.conf.settings_table import SETTINGS, EnvironmentSetting
from mailadmin.conf.sign_in import iter_conflicts
from mailadmin.conf.urls import BASE_DIR

__all__ = [
    "BASE_DIR",
    "SETTINGS",
    "read_settings",
    "check_combinations",
    "exit_with_error",
    "print_warning",
]
DEFAULT_ENV_FILE = "/etc/mailadmin/mailadmin.env"


def exit_with_error(message: str) -> NoReturn:
    """Exit with one line: nobody reads a traceback of a mistyped setting."""
    raise SystemExit(f"mailadmin: {message}")


def print_warning(message: str) -> None:
    print(f"mailadmin: {message}", file=sys.stderr)


def read_settings(
    environ: Mapping[str, str] = os.environ, report_warning: Callable[[str], None] = print_warning
) -> dict[str, Any]:
    """Return every setting by name: from the environment, else from the file, else the default.

    What neither has may come from the variables of PostfixAdmin's container.
    """
    variables = {name: value for name, value in environ.items() if name.startswith("MAILADMIN_")}
    path = variables.pop("MAILADMIN_ENV_FILE", None)
    values = read_secret_files(read_env_file(path)) | read_secret_files(variables)
    for line in (*iter_unknown_settings(values), *iter_unknown_container_variables(environ)):
        report_warning(line)
    container = read_container_settings(environ, values)
    labels = {name: LABELS[name] for name in container}
    values = container | values
    return {each.name: parse_variable(each, values, labels.get(each.name)) for each in SETTINGS}


def read_container_settings(
    environ: Mapping[str, str], values: Mapping[str, str]
) -> dict[str, str]:
    """Return the settings that the variables of PostfixAdmin's container give."""
    try:
        return build_container_settings(environ, values)
    except ValueError as error:
        exit_with_error(str(error))


def iter_unknown_container_variables(environ: Mapping[str, str]) -> Iterator[str]:
    for name in find_unknown_variables(environ):
        yield f"unknown variable {name}"


def check_combinations(values: Mapping[str, Any]) -> None:
    """Exit if settings that are valid alone make no sense together."""
    for find in (iter_conflicts, iter_client_conflicts, iter_hook_conflicts):
        for conflict in find(values):
            exit_with_error(conflict)


def parse_variable(
    setting: EnvironmentSetting, values: Mapping[str, str], label: str | None = None
) -> Any:
    """Return the value of a setting; exit if it makes no sense."""
    value = values.get(setting.name, setting.default)
    try:
        return setting.parse(value.strip())
    except ValueError as error:
        name = label or setting.name
        exit_with_error(f"{name} {'' if setting.secret else repr(value) + ' '}{error}")


def read_env_file(path: str | None) -> dict[str, str]:
    """Return the variables of this file, or of the default one if it exists."""
    path, is_required = path or DEFAULT_ENV_FILE, path is not None
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    except FileNotFoundError as error:
        if not is_required:
            return {}
        exit_with_error(f"MAILADMIN_ENV_FILE {path}: {error.strerror}")
    except OSError as error:
        if is_required:
            exit_with_error(f"MAILADMIN_ENV_FILE {path}: {error.strerror}")
        print_warning(f"cannot read {path}: {error.strerror}")
        return {}
    except ValueError:
        exit_with_error(f"MAILADMIN_ENV_FILE {path} is not UTF-8 text")
    return dict(filter(None, (parse_env_line(path, *line) for line in enumerate(lines, 1))))


def parse_env_line(path: str, number: int, line: str) -> tuple[str, str] | None:
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not re.fullmatch(r"\w+", name):
        exit_with_error(f"MAILADMIN_ENV_FILE {path}, line {number}: expected NAME=value")
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def read_secret_files(values: Mapping[str, str]) -> dict[str, str]:
    """Return the variables; secrets with a `…_FILE` variable are read from that file."""
    values = dict(values)
    for name in [setting.name for setting in SETTINGS if setting.secret]:
        if (path := values.pop(f"{name}_FILE", None)) is None:
            continue
        if name in values:
            exit_with_error(f"{name}_FILE and {name} are both set; remove one")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            exit_with_error(f"{name}_FILE {path!r}: {getattr(error, 'strerror', 'not UTF-8 text')}")
    return values


def iter_unknown_settings(values: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each variable that is not a setting, with a likely name."""
    known = [setting.name for setting in SETTINGS]
    for name in sorted(values.keys() - set(known)):
        matches = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {matches[0]}?" if matches else ""
        yield f"unknown setting {name}{hint}"
