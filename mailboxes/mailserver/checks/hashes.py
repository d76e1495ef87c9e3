"""Which stored passwords Dovecot reads under which default scheme."""

import re
from typing import NamedTuple

from mailadmin.passwords import crypt3, schemes

HEX_DIGITS = (32, 40, 64, 128)
CRYPT_FORMS = frozenset(form.name for form in crypt3.FORMS)
ARGON2 = frozenset({"ARGON2I", "ARGON2ID"})
BASE64 = re.compile(r"[0-9A-Za-z+/]{20,}={0,2}")


class Hash(NamedTuple):
    """A kind of stored password: the scheme it names, or the shape that it has without one."""

    name: str
    is_prefixed: bool


def hash_of(stored):
    """The kind of a stored password, or None where nothing is stored."""
    prefixed = re.match(r"\{([^{}]+)\}", stored or "")
    if prefixed:
        return Hash(prefixed[1].upper().partition(".")[0], True)
    return Hash(_shape(stored), False) if stored else None


def _shape(stored):
    if argon2 := re.match(r"\$(argon2id?)\$", stored):
        return argon2[1].upper()
    if name := crypt3.name_of(stored.encode("utf-8", "replace")):
        return name
    if re.fullmatch(r"[0-9a-fA-F]+", stored) and len(stored) in HEX_DIGITS:
        return f"HEX:{len(stored)}"
    return "BASE64" if BASE64.fullmatch(stored) else "TEXT"


# Default scheme → shapes that are read under it (each tried with `doveadm pw -t {SCHEME}…`).
READS = {
    "CRYPT": CRYPT_FORMS,
    "DES-CRYPT": CRYPT_FORMS,
    "SHA256-CRYPT": CRYPT_FORMS,
    "SHA512-CRYPT": CRYPT_FORMS,
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
    "ARGON2I": ARGON2,
    "ARGON2ID": ARGON2,
    "PLAIN": {"TEXT"},
    "CLEAR": {"TEXT"},
    "CLEARTEXT": {"TEXT"},
    "PLAIN-TRUNC": {"TEXT"},
    "SMD5": {"BASE64"},
    "SSHA": {"BASE64"},
    "SSHA256": {"BASE64"},
    "SSHA512": {"BASE64"},
}


def is_read(shape, scheme):
    """Whether a password stored without prefix is understood; of schemes unknown here, yes."""
    scheme = scheme.upper().partition(".")[0]
    return scheme not in READS or shape in READS[scheme]


def is_unknown(scheme):
    """Whether today's Dovecot has no such scheme."""
    found = schemes.find(scheme)
    return found is None or bool(found.scheme.prefix)
