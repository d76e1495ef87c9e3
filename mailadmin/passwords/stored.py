"""Stored values: which scheme one is of, and which prefix a new one gets."""

import re
from collections.abc import Iterator

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mailadmin.passwords import crypt3, schemes
from mailadmin.passwords.limits import Unreadable
from mailadmin.passwords.schemes import Choice

PLAIN_NAMES = {"PLAIN", "CLEAR", "CLEARTEXT"}
MD5_HEX = re.compile(r"[0-9a-fA-F]{32}")
COST = re.compile(
    r"^\$2[abxy]?\$(\d\d)\$|rounds=(\d+)|m=(\d+),t=(\d+),p=(\d+)|^\$1\$[^$]*\$(\d+)\$|^(\d+),"
)
HASH_SHAPES = re.compile(
    r"[0-9a-fA-F]{32,}"
    r"|[0-9A-Za-z+/]{22,}={1,2}|(?:[0-9A-Za-z+/]{4}){8,}"
    r"|\d+,[^,]+,[^,]+=,[^,]+="  # SCRAM
    r"|(?:md4|md5|sha1) \d+ \w+ [0-9a-f]{16}"  # OTP
    r"|\$[^$]+\$.{20,}"  # crypt(3), whether we know the form or not
)


def setting(name: str, default):
    return getattr(settings, f"MAILADMIN_PASSWORD_{name}", default)


def configured() -> Choice:
    choice = _find_configured()
    if choice is None:
        raise ImproperlyConfigured("MAILADMIN_PASSWORD_SCHEME names no scheme that can be written")
    return choice


def _find_configured() -> Choice | None:
    return schemes.find_writable(setting("SCHEME", "BLF-CRYPT"))


def cost(choice: Choice) -> int:
    asked = setting("ROUNDS", None)
    return choice.scheme.cost(choice.rounds if asked is None else asked)


def readings(stored: str) -> Iterator[tuple[Choice, str]]:
    """What a stored value may be: each time the scheme and the text behind the prefix."""
    prefixed = re.fullmatch(r"\{([^{}]*)\}(.*)", stored, re.DOTALL)
    if not prefixed:
        yield from _bare_readings(stored)
        return
    choice = schemes.find(prefixed[1])
    if choice is None:
        raise Unreadable("unknown scheme")
    yield choice, prefixed[2]


def _bare_readings(stored: str) -> Iterator[tuple[Choice, str]]:
    if not stored:
        raise Unreadable("nothing stored")
    if name := _evident_name(stored):
        yield Choice(name), stored
        return
    choice = _find_configured()
    is_md5 = MD5_HEX.fullmatch(stored)
    if choice and _may_be(choice, stored):
        yield choice, stored
    elif not is_md5:
        raise Unreadable("no prefix, and not of the configured scheme")
    if is_md5:
        yield Choice("PLAIN-MD5"), stored


def _evident_name(stored: str) -> str:
    """The scheme that a value without prefix names itself."""
    if argon2 := re.match(r"\$argon2(id|i|d)\$", stored):
        return "ARGON2I" if argon2[1] == "i" else "ARGON2ID"
    # whatever the configured scheme, Dovecot takes $1$ for MD5-CRYPT
    is_crypt = stored.startswith("$1$") or crypt3.name_of(stored.encode("utf-8", "replace"))
    return "CRYPT" if is_crypt else ""


def _may_be(choice: Choice, stored: str) -> bool:
    """Whether the configured scheme may have made this; its own check has the last word."""
    if choice.name in PLAIN_NAMES:
        return not HASH_SHAPES.fullmatch(stored)  # else a stolen hash would be the password
    if choice.name == "PLAIN-TRUNC":
        return False
    return not MD5_HEX.fullmatch(stored) or choice.scheme.size == 16


def kind(choice: Choice, body: str) -> str:
    """The scheme's name; a crypt(3) hash tells by itself, whatever its prefix says."""
    if not choice.scheme.is_crypt:
        return choice.name
    return crypt3.name_of(schemes.decode(choice.scheme, choice.encoding, body))


def prefix_for(choice: Choice, body: str) -> str:
    """The prefix the setting asks for, and one in any case where bare text would be misread."""
    wish = setting("PREFIX", "auto")
    # argon2's $…$ gets one: neither PostfixAdmin 3.3 nor Dovecot's CRYPT would know it
    is_bare = choice.scheme.is_crypt and body.startswith("$")
    if wish == "yes" or (wish == "auto" and not is_bare) or not _is_read_back(choice, body):
        return choice.prefix
    return ""


def _is_read_back(choice: Choice, body: str) -> bool:
    try:
        return any(
            text == body and kind(reading, text) == choice.kind for reading, text in readings(body)
        )
    except Unreadable:
        return False


def is_hash_shaped(text: str) -> bool:
    """Whether this is crypt's form, or a known scheme's prefix with something behind it."""
    prefixed = re.fullmatch(r"\{([^{}]*)\}.+", text, re.DOTALL)
    if prefixed:
        return schemes.find(prefixed[1]) is not None
    return re.fullmatch(r"\$[^$]+\$.{20,}", text) is not None


def cost_of(body: str) -> list[tuple[str, ...]]:
    """The parameters that say how much work a hash takes, as they stand in it."""
    return COST.findall(body)


def is_as_configured(stored: str) -> bool:
    """Whether the configured scheme and prefix would store it so."""
    choice = configured()
    try:
        reading, body = next(readings(stored))
        if (kind(reading, body), reading.encoding) != (choice.kind, choice.encoding):
            return False
    except Unreadable:
        return False
    return prefix_for(choice, body) == (reading.prefix if stored.startswith("{") else "")
