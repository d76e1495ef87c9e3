"""The variables of Dovecot 2.3, as 2.4 writes them."""

import re

LETTERS = {
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
# Queries and settings of logins.
AUTHENTICATION = LETTERS | {"p": "client_pid", "s": "protocol"}
NAMES = {
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
# Names that both versions have. Any other ends a login or a delivery with an error.
SAME = ("auth_user", "home", "local_name", "service", "session", "user")
SAME_IN_AUTHENTICATION = ("cert", "master_user", "mechanism", "password", "secured")
MODIFIERS = {"L": " | lower", "U": " | upper"}
# Letters of pop3_uidl_format, with the hexadecimal numbers that are usual there.
UIDL = {
    "f": "filename",
    "g": "guid",
    "m": "md5",
    "u": "uid",
    "v": "uidvalidity",
}
VARIABLE = re.compile(
    r"%(?:%|(?P<modifiers>[LU]*)(?:(?P<letter>[a-z])|\{(?P<name>\w+)\})|(?P<bad>.))"
)
UIDL_VARIABLE = re.compile(r"%(?P<hex>(?:0?8)?X)?(?P<letter>[fgmuv])")


class Untranslatable(ValueError):
    """A variable that 2.4 has no word for, or that has to be thought about."""


def converted(text, letters=LETTERS):
    """The text with variables of 2.4's; Untranslatable names the first that cannot be said."""

    def replace(found):
        if found[0] == "%%" and letters is AUTHENTICATION:
            return "%"
        name = letters.get(found["letter"]) or long_name(found["name"], letters)
        if found["bad"] or not name:  # also %%u, somebody else's name
            raise Untranslatable(found[0])
        filters = "".join(MODIFIERS[each] for each in found["modifiers"])
        return f"%{{{name}{filters}}}"

    return VARIABLE.sub(replace, text)


def long_name(name, letters):
    """2.4's word for a variable that has more than a letter, or None."""
    if letters is AUTHENTICATION:
        own = {each: each for each in SAME_IN_AUTHENTICATION} | {"service": "protocol"}
        own["pid"] = "client_pid"
    else:
        own = {}
    known = {each: each for each in SAME} | NAMES | own
    return known.get(name)


def converted_uidl(text):
    """pop3_uidl_format, whose letters mean something else."""

    def replace(found):
        filters = " | hex(8)" if found["hex"] else ""
        return f"%{{{UIDL[found['letter']]}{filters}}}"

    made = UIDL_VARIABLE.sub(replace, text)
    if re.search(r"%[^{]", made):
        raise Untranslatable(text)
    return made
