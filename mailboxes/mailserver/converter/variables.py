"""Convert the variables of Dovecot 2.3."""

import re
from collections.abc import Mapping

LETTER_VARIABLES = {
    "a": "local_port",
    "b": "remote_port",
    "c": "secured",
    "d": "user | domain",
    "h": "home",
    "l": "local_ip",
    "m": "mechanism",
    "n": "user | username",
    "p": "process:pid",
    "r": "remote_ip",
    "s": "service",
    "u": "user",
    "w": "password",
}
# In queries and settings of authentication.
AUTH_LETTER_VARIABLES = LETTER_VARIABLES | {"p": "client_pid", "s": "protocol"}
NAMED_VARIABLES = {
    "auth_domain": "auth_user | domain",
    "auth_username": "auth_user | username",
    "domain": "user | domain",
    "gid": "process:gid",
    "hostname": "system:hostname",
    "lip": "local_ip",
    "lport": "local_port",
    "mech": "mechanism",
    "orig_domain": "original_user | domain",
    "orig_user": "original_user",
    "orig_username": "original_user | username",
    "pid": "process:pid",
    "real_lip": "real_local_ip",
    "real_lport": "real_local_port",
    "real_rip": "real_remote_ip",
    "real_rport": "real_remote_port",
    "rip": "remote_ip",
    "rport": "remote_port",
    "uid": "process:uid",
    "username": "user | username",
}
# Names of both versions; all others make a login or delivery fail.
UNCHANGED_VARIABLES = ("auth_user", "home", "local_name", "service", "session", "user")
UNCHANGED_AUTH_VARIABLES = ("cert", "master_user", "mechanism", "password", "secured")
MODIFIER_FILTERS = {"L": " | lower", "U": " | upper"}
# The letters of pop3_uidl_format.
UIDL_VARIABLES = {
    "f": "filename",
    "g": "guid",
    "m": "md5",
    "u": "uid",
    "v": "uidvalidity",
}
VARIABLE_RE = re.compile(
    r"%(?:%|(?P<modifiers>[LU]*)(?:(?P<letter>[a-z])|\{(?P<name>\w+)\})"
    r"|\{(?P<hash>sha\d+|md5);rounds=(?P<rounds>\d+),salt=(?P<salt>\w+):(?P<hashed>\w+)\}"
    r"|\{(?P<fields>passdb|userdb):(?P<field>\w+)(?::(?P<default>[^{}']*))?\}"
    r"|(?P<bad>.))"
)
UIDL_VARIABLE_RE = re.compile(r"%(?P<hex>(?:0?8)?X)?(?P<letter>[fgmuv])")


class UnconvertibleValue(ValueError):
    """Raised for a value that 2.4 cannot express, or that the administrator has to decide."""


def convert_variables(text: str, letters: Mapping[str, str] = LETTER_VARIABLES) -> str:
    """Return the text with variables of 2.4; raise UnconvertibleValue for the first unknown one."""

    def replace(found: re.Match[str]) -> str:
        if found[0] == "%%" and letters is AUTH_LETTER_VARIABLES:
            return "%"
        name = letters.get(found["letter"]) or convert_variable_name(found["name"], letters)
        if found["hash"]:
            name = convert_variable_name(found["hashed"], letters)
            hashed = f'{found["hash"]}(rounds={found["rounds"]}, salt="{found["salt"]}")'
            return f"%{{{name} | {hashed} | hexlify}}"
        if found["fields"]:
            default = f" | default('{found['default']}')" if found["default"] else ""
            return f"%{{{found['fields']}:{found['field']}{default}}}"
        if found["bad"] or not name:  # also %%u, another user's name
            raise UnconvertibleValue(found[0])
        filters = "".join(MODIFIER_FILTERS[each] for each in found["modifiers"])
        return f"%{{{name}{filters}}}"

    return VARIABLE_RE.sub(replace, text)


def convert_variable_name(name: str, letters: Mapping[str, str]) -> str | None:
    """Return 2.4's name of a variable with a long name, or None."""
    if letters is AUTH_LETTER_VARIABLES:
        own = {each: each for each in UNCHANGED_AUTH_VARIABLES} | {"service": "protocol"}
        own["pid"] = "client_pid"
    else:
        own = {}
    names = {each: each for each in UNCHANGED_VARIABLES} | NAMED_VARIABLES | own
    return names.get(name)


def convert_uidl_variables(text: str) -> str:
    """Convert pop3_uidl_format, whose letters have another meaning."""

    def replace(found: re.Match[str]) -> str:
        filters = " | hex(8)" if found["hex"] else ""
        return f"%{{{UIDL_VARIABLES[found['letter']]}{filters}}}"

    converted = UIDL_VARIABLE_RE.sub(replace, text)
    if re.search(r"%[^{]", converted):
        raise UnconvertibleValue(text)
    return converted
