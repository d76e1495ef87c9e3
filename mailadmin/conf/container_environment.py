"""The variables of PostfixAdmin's official container, for settings that are not set themselves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from mailadmin.conf.postfixadmin_schemes import (
    SCHEME_NAMES,
    SCHEMES_BY_VERSION,
    choose_prefix,
    strip_prefix,
)

PREFIX = "POSTFIXADMIN_"
MAJOR_VERSION = "4"  # of the PostfixAdmin in the container
DEFAULT_SQLITE_FILE = "/var/tmp/postfixadmin.db"  # noqa: S108 (the container's own default)
MYSQL_TYPES = ("mysqli", "mysql")

Values = Mapping[str, str]


class ContainerSetting(NamedTuple):
    """A setting that variables of the container give, if one of them is set.

    It is not looked at if the panel's own variable is set, or the one that it belongs to.
    """

    name: str
    variables: tuple[str, ...]
    build: Callable[[Values], str]
    belongs_to: str = ""

    @property
    def label(self) -> str:
        """Return the variables, for messages."""
        return ", ".join(f"{PREFIX}{name}" for name in self.variables)


def build_database_url(values: Values) -> str:
    kind = values.get("DB_TYPE", "")
    if kind == "pgsql":
        raise ValueError("DB_TYPE is pgsql: the panel works on MySQL, MariaDB and SQLite only")
    if kind == "sqlite" or (not kind and "DB_HOST" not in values):
        return f"sqlite://{quote(values.get('DB_NAME', DEFAULT_SQLITE_FILE))}"
    if kind not in MYSQL_TYPES:
        raise ValueError(f"DB_TYPE is {kind!r}; expected mysqli or sqlite")
    for name in ("DB_HOST", "DB_USER", "DB_PASSWORD", "DB_NAME"):
        if not values.get(name):
            raise ValueError(f"{name} is required with DB_TYPE={kind}")
    user, password, database = (
        quote(values[name], safe="") for name in ("DB_USER", "DB_PASSWORD", "DB_NAME")
    )
    port = f":{values['DB_PORT']}" if values.get("DB_PORT") else ""
    return f"mysql://{user}:{password}@{values['DB_HOST']}{port}/{database}"


def build_smtp_url(values: Values) -> str:
    return f"smtp://{values.get('SMTP_SERVER', 'localhost')}:{values.get('SMTP_PORT', '25')}"


def build_password_scheme(values: Values) -> str:
    spelling = strip_prefix(values["ENCRYPT"])
    if spelling in SCHEMES_BY_VERSION:
        return SCHEMES_BY_VERSION[spelling][MAJOR_VERSION]
    return SCHEME_NAMES.get(spelling, spelling)


def build_password_prefix(values: Values) -> str:
    return choose_prefix(values["ENCRYPT"], MAJOR_VERSION)


def build_dkim(values: Values) -> str:
    if values.get("DKIM", "").upper() != "YES":
        return "no"
    return "admins" if values.get("DKIM_ALL_ADMINS", "").upper() == "YES" else "superadmins"


CONTAINER_SETTINGS = (
    ContainerSetting(
        "MAILADMIN_DATABASE_URL",
        ("DB_TYPE", "DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME"),
        build_database_url,
    ),
    ContainerSetting("MAILADMIN_SMTP_URL", ("SMTP_SERVER", "SMTP_PORT"), build_smtp_url),
    ContainerSetting("MAILADMIN_DKIM", ("DKIM", "DKIM_ALL_ADMINS"), build_dkim),
    ContainerSetting("MAILADMIN_PASSWORD_SCHEME", ("ENCRYPT",), build_password_scheme),
    ContainerSetting(
        "MAILADMIN_PASSWORD_PREFIX",
        ("ENCRYPT",),
        build_password_prefix,
        belongs_to="MAILADMIN_PASSWORD_SCHEME",
    ),
)
# They mean nothing to the panel, which has no set-up page.
IGNORED_VARIABLES = ("SETUP_PASSWORD", "CONFIGURED")
LABELS = {each.name: each.label for each in CONTAINER_SETTINGS}


def build_container_settings(environ: Values, present: Values) -> dict[str, str]:
    """Return settings by name, except those that are present; ValueError names the variable."""
    missing = [
        each
        for each in CONTAINER_SETTINGS
        if each.name not in present and each.belongs_to not in present
    ]
    names = [name for each in missing for name in each.variables]
    values = read_container_variables(environ, dict.fromkeys(names))
    try:
        return {
            each.name: each.build(values)
            for each in missing
            if any(name in values for name in each.variables)
        }
    except ValueError as error:
        raise ValueError(f"{PREFIX}{error}") from None


def read_container_variables(environ: Values, names: Mapping[str, None]) -> dict[str, str]:
    """Return the variables without their prefix; empty ones are not set, as in the container."""
    values = {}
    for name in names:
        value, path = (environ.get(f"{PREFIX}{name}{end}", "") for end in ("", "_FILE"))
        if value and path:
            raise ValueError(f"{PREFIX}{name} and {PREFIX}{name}_FILE are both set; remove one")
        if path:
            value = read_value_file(f"{PREFIX}{name}_FILE", path)
        if value:
            values[name] = value
    return values


def read_value_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", "not UTF-8 text")
        raise ValueError(f"{name} {path!r}: {reason}") from None


def find_unknown_variables(environ: Values) -> list[str]:
    """Return the variables that the container does not know either."""
    known = {name for each in CONTAINER_SETTINGS for name in each.variables} | {*IGNORED_VARIABLES}
    known |= {f"{name}_FILE" for name in known}
    return sorted(
        name
        for name in environ
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known
    )
