"""PostfixAdmin's `encrypt`: how it stores new passwords, in the words of the panel's settings."""

import re

# `encrypt`, in small letters → the scheme that PostfixAdmin 3 and 4 store for it.
SCHEMES_BY_VERSION = {
    "php_crypt": {"3": "SHA512-CRYPT", "4": "BLF-CRYPT"},
    "md5crypt": {"3": "MD5-CRYPT", "4": "BLF-CRYPT"},
    "crypt": {"4": "BLF-CRYPT"},
}
SCHEME_NAMES = {
    "md5": "PLAIN-MD5",
    "clear": "CLEARTEXT",
    "courier:md5": "PLAIN-MD5.B64",
    "sha512.b64": "SHA512-CRYPT.B64",
}
# Stored without a prefix, which the panel would add: by PostfixAdmin 4, and by versions before it.
BARE_SCHEMES = ("md5", "system", "php_crypt:des")
BARE_SCHEMES_BEFORE_4 = (*BARE_SCHEMES, "cleartext")


def strip_prefix(encrypt: str) -> str:
    """Return `encrypt` in small letters, without the prefix at its end."""
    return re.sub(r":*\{[^}]*\}$", "", encrypt).lower()


def choose_prefix(encrypt: str, version: str) -> str:
    """Return the value of MAILADMIN_PASSWORD_PREFIX; the version is its first digit, or empty."""
    spelling = strip_prefix(encrypt)
    if encrypt.endswith("}") or spelling.startswith("dovecot:"):
        return "yes"
    if spelling in (BARE_SCHEMES if version >= "4" else BARE_SCHEMES_BEFORE_4):
        return "no"
    return "auto" if ":" in spelling or spelling in SCHEMES_BY_VERSION else "yes"
