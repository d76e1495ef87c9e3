"""Formats of stored passwords, and the default schemes under which Dovecot reads them."""

import re
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from mailadmin.passwords import crypt3, schemes

HEX_HASH_LENGTHS = (32, 40, 64, 128)
CRYPT_SCHEMES = frozenset(each.name for each in crypt3.CRYPT_FORMATS)
ARGON2_SCHEMES = frozenset({"ARGON2I", "ARGON2ID"})
BASE64_RE = re.compile(r"[0-9A-Za-z+/]{20,}={0,2}")


class PasswordHashKind(NamedTuple):
    """A kind of stored password: the scheme of its prefix, or the format of an unprefixed hash."""

    name: str
    is_prefixed: bool


def identify_hash(stored: str | None) -> PasswordHashKind | None:
    """Return the kind of a stored password, or None if there is none.

    For {CRYPT} the scheme is read from the hash, as Dovecot does.
    """
    prefixed = re.match(r"\{([^{}]+)\}(.*)", stored or "", re.DOTALL)
    if prefixed:
        name, body = prefixed[1].upper().partition(".")[0], prefixed[2].encode("utf-8", "replace")
        detected = crypt3.detect_scheme_name(body) if name == "CRYPT" else ""
        return PasswordHashKind(detected or name, True)
    return PasswordHashKind(_identify_unprefixed(stored), False) if stored else None


def _identify_unprefixed(stored: str) -> str:
    if argon2 := re.match(r"\$(argon2id?)\$", stored):
        return argon2[1].upper()
    if name := crypt3.detect_scheme_name(stored.encode("utf-8", "replace")):
        return name
    if re.fullmatch(r"[0-9a-fA-F]+", stored) and len(stored) in HEX_HASH_LENGTHS:
        return f"HEX:{len(stored)}"
    return "BASE64" if BASE64_RE.fullmatch(stored) else "TEXT"


# Default scheme → formats that it reads (each tested with `doveadm pw -t {SCHEME}…`).
READABLE_FORMATS: dict[str, AbstractSet[str]] = {
    "CRYPT": CRYPT_SCHEMES,
    "DES-CRYPT": CRYPT_SCHEMES,
    "SHA256-CRYPT": CRYPT_SCHEMES,
    "SHA512-CRYPT": CRYPT_SCHEMES,
    "BLF-CRYPT": {"BLF-CRYPT"},
    "MD5-CRYPT": {"MD5-CRYPT"},
    "MD5": {"MD5-CRYPT", "HEX:32", "BASE64"},
    "PLAIN-MD5": {"HEX:32", "BASE64"},
    "LDAP-MD5": {"HEX:32", "BASE64"},
    "DIGEST-MD5": {"HEX:32"},
    "SHA": {"HEX:40", "BASE64"},
    "SHA1": {"HEX:40", "BASE64"},
    "SHA256": {"HEX:64", "BASE64"},
    "SHA512": {"HEX:128", "BASE64"},
    "CRAM-MD5": {"HEX:64"},
    "HMAC-MD5": {"HEX:64"},
    "ARGON2I": ARGON2_SCHEMES,
    "ARGON2ID": ARGON2_SCHEMES,
    "PLAIN": {"TEXT"},
    "CLEAR": {"TEXT"},
    "CLEARTEXT": {"TEXT"},
    "PLAIN-TRUNC": {"TEXT"},
    "SMD5": {"BASE64"},
    "SSHA": {"BASE64"},
    "SSHA256": {"BASE64"},
    "SSHA512": {"BASE64"},
}


def is_readable_as(hash_format: str, scheme: str) -> bool:
    """Check whether Dovecot reads an unprefixed hash under a default scheme; True if unknown."""
    scheme = scheme.upper().partition(".")[0]
    return scheme not in READABLE_FORMATS or hash_format in READABLE_FORMATS[scheme]


def is_unknown_scheme(scheme: str) -> bool:
    """Check whether current versions of Dovecot lack a scheme."""
    found = schemes.find_scheme(scheme)
    return found is None or bool(found.scheme.prefix)
