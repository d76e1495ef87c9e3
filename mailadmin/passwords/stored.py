"""Stored values: detect the scheme, and choose the prefix of a new one."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mailadmin.passwords import crypt3, schemes
from mailadmin.passwords.limits import UnverifiableHash
from mailadmin.passwords.schemes import SchemeChoice

PLAIN_SCHEMES = {"PLAIN", "CLEAR", "CLEARTEXT"}
MD5_HEX_RE = re.compile(r"[0-9a-fA-F]{32}")
COST_RE = re.compile(
    r"^\$2[abxy]?\$(\d\d)\$|rounds=(\d+)|m=(\d+),t=(\d+),p=(\d+)|^\$1\$[^$]*\$(\d+)\$|^(\d+),"
)
HASH_LIKE_RE = re.compile(
    r"[0-9a-fA-F]{32,}"
    r"|[0-9A-Za-z+/]{22,}={1,2}|(?:[0-9A-Za-z+/]{4}){8,}"
    r"|\d+,[^,]+,[^,]+=,[^,]+="  # SCRAM
    r"|(?:md4|md5|sha1) \d+ \w+ [0-9a-f]{16}"  # OTP
    r"|\$[^$]+\$.{20,}"  # crypt(3), whether the format is supported or not
)


def get_password_setting(name: str, default: Any) -> Any:
    return getattr(settings, f"MAILADMIN_PASSWORD_{name}", default)


def get_configured_scheme() -> SchemeChoice:
    choice = _find_configured_scheme()
    if choice is None:
        raise ImproperlyConfigured("MAILADMIN_PASSWORD_SCHEME is not a scheme that can be written")
    return choice


def _find_configured_scheme() -> SchemeChoice | None:
    return schemes.parse_scheme_setting(get_password_setting("SCHEME", "BLF-CRYPT"))


def get_configured_rounds(choice: SchemeChoice) -> int:
    rounds = get_password_setting("ROUNDS", None)
    return choice.scheme.clamp_rounds(choice.rounds if rounds is None else rounds)


def iter_candidates(stored: str) -> Iterator[tuple[SchemeChoice, str]]:
    """Yield what a stored value may be: the scheme, and the text after the prefix."""
    prefixed = re.fullmatch(r"\{([^{}]*)\}(.*)", stored, re.DOTALL)
    if not prefixed:
        yield from _iter_unprefixed_candidates(stored)
        return
    choice = schemes.find_scheme(prefixed[1])
    if choice is None:
        raise UnverifiableHash("unknown scheme")
    yield choice, prefixed[2]


def _iter_unprefixed_candidates(stored: str) -> Iterator[tuple[SchemeChoice, str]]:
    if not stored:
        raise UnverifiableHash("no password stored")
    if name := _detect_scheme_name(stored):
        yield SchemeChoice(name), stored
        return
    choice = _find_configured_scheme()
    is_md5 = MD5_HEX_RE.fullmatch(stored)
    if choice and _is_plausible(choice, stored):
        yield choice, stored
    elif not is_md5:
        raise UnverifiableHash("no prefix, and does not match the configured scheme")
    if is_md5:
        yield SchemeChoice("PLAIN-MD5"), stored


def _detect_scheme_name(stored: str) -> str:
    """Return the scheme that a value without prefix identifies itself."""
    if argon2 := re.match(r"\$argon2(id|i|d)\$", stored):
        return "ARGON2I" if argon2[1] == "i" else "ARGON2ID"
    # Dovecot takes $1$ for MD5-CRYPT, whatever scheme is configured
    is_crypt = stored.startswith("$1$") or crypt3.detect_scheme_name(
        stored.encode("utf-8", "replace")
    )
    return "CRYPT" if is_crypt else ""


def _is_plausible(choice: SchemeChoice, stored: str) -> bool:
    """Return whether the configured scheme may have made this; its check decides."""
    if choice.name in PLAIN_SCHEMES:
        return not HASH_LIKE_RE.fullmatch(stored)  # otherwise a stolen hash would be a password
    if choice.name == "PLAIN-TRUNC":
        return False
    return not MD5_HEX_RE.fullmatch(stored) or choice.scheme.digest_size == 16


def get_scheme_name(choice: SchemeChoice, body: str) -> str:
    """Return the name of the scheme; a crypt(3) hash identifies itself, whatever its prefix."""
    if not choice.scheme.is_crypt:
        return choice.name
    return crypt3.detect_scheme_name(schemes.decode_hash(choice.scheme, choice.encoding, body))


def choose_prefix(choice: SchemeChoice, body: str) -> str:
    """Return the configured prefix; never none where the bare text would be misread."""
    mode = get_password_setting("PREFIX", "auto")
    # argon2's $…$ gets a prefix: neither PostfixAdmin 3.3 nor Dovecot's CRYPT would know it
    is_bare = choice.scheme.is_crypt and body.startswith("$")
    if (
        mode == "yes"
        or (mode == "auto" and not is_bare)
        or not _is_recognized_without_prefix(choice, body)
    ):
        return choice.prefix
    return ""


def _is_recognized_without_prefix(choice: SchemeChoice, body: str) -> bool:
    try:
        return any(
            text == body and get_scheme_name(reading, text) == choice.canonical_name
            for reading, text in iter_candidates(body)
        )
    except UnverifiableHash:
        return False


def is_hash_like(text: str) -> bool:
    """Return whether this is a crypt(3) hash, or a known prefix with something after it."""
    prefixed = re.fullmatch(r"\{([^{}]*)\}.+", text, re.DOTALL)
    if prefixed:
        return schemes.find_scheme(prefixed[1]) is not None
    return re.fullmatch(r"\$[^$]+\$.{20,}", text) is not None


def parse_cost(body: str) -> list[tuple[str, ...]]:
    """Return the cost parameters in a hash."""
    return COST_RE.findall(body)


def matches_configuration(stored: str) -> bool:
    """Return whether the configured scheme and prefix would store it like this."""
    choice = get_configured_scheme()
    try:
        reading, body = next(iter_candidates(stored))
        if (get_scheme_name(reading, body), reading.encoding) != (
            choice.canonical_name,
            choice.encoding,
        ):
            return False
    except UnverifiableHash:
        return False
    return choose_prefix(choice, body) == (reading.prefix if stored.startswith("{") else "")
