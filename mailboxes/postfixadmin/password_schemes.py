"""PostfixAdmin's `encrypt`: how it stores new passwords, as a scheme and a prefix of the panel."""

import re

from mailadmin.passwords.schemes import parse_scheme_setting
from mailboxes.postfixadmin.outcomes import NotConverted, NotNeeded, Options, get_text

# `encrypt`, in small letters → the scheme that PostfixAdmin 3 and 4 store for it.
BY_VERSION = {
    "php_crypt": {"3": "SHA512-CRYPT", "4": "BLF-CRYPT"},
    "md5crypt": {"3": "MD5-CRYPT", "4": "BLF-CRYPT"},
    "crypt": {"4": "BLF-CRYPT"},
}
OWN_NAMES = {
    "md5": "PLAIN-MD5",
    "clear": "CLEARTEXT",
    "courier:md5": "PLAIN-MD5.B64",
    "sha512.b64": "SHA512-CRYPT.B64",
}
# Stored without a prefix, which the panel would add: by PostfixAdmin 4, and by versions before it.
BARE_SCHEMES = ("md5", "system", "php_crypt:des")
BARE_SCHEMES_BEFORE_4 = (*BARE_SCHEMES, "cleartext")
CRYPT_NAMES = ("php_crypt", "md5crypt", "crypt")


def build_scheme(options: Options) -> str:
    """Return the scheme of new passwords."""
    spelling = get_spelling(options)
    if spelling in BY_VERSION:
        return choose_by_version(spelling, get_version(options))
    if spelling.startswith("authlib"):
        raise NotConverted(
            "Dovecot does not read Courier's {md5raw}: choose a MAILADMIN_PASSWORD_SCHEME; new"
            " passwords are stored in it, and people need new ones"
        )
    choice = parse_scheme_setting(OWN_NAMES.get(spelling, spelling))
    if choice is None:
        raise NotConverted(
            f"the panel cannot write {spelling}: choose a MAILADMIN_PASSWORD_SCHEME that Dovecot"
            " reads; existing passwords keep working where Dovecot reads them"
        )
    if choice.rounds is not None:
        return spelling
    return choice.canonical_name + (choice.encoding and f".{choice.encoding}")


def choose_by_version(spelling: str, version: str) -> str:
    schemes = BY_VERSION[spelling]
    if version and version not in schemes:
        return schemes[max(schemes)] if version > max(schemes) else schemes[min(schemes)]
    if not version and len(set(schemes.values())) > 1:
        text = ", ".join(f"{scheme} by PostfixAdmin {number}" for number, scheme in schemes.items())
        raise NotConverted(
            f"it is stored as {text}: set MAILADMIN_PASSWORD_SCHEME, or name config.inc.php too,"
            " which has the version"
        )
    return schemes[version] if version else next(iter(schemes.values()))


def build_prefix(options: Options) -> str:
    """Return whether new passwords are stored with a `{SCHEME}` prefix."""
    try:
        build_scheme(options)
    except NotConverted as error:
        raise NotNeeded("it follows from MAILADMIN_PASSWORD_SCHEME") from error
    spelling, version = get_spelling(options), get_version(options)
    if get_text(options, "encrypt").endswith("}") or spelling.startswith("dovecot:"):
        return "yes"
    if spelling in (BARE_SCHEMES if version >= "4" else BARE_SCHEMES_BEFORE_4):
        return "no"
    return "auto" if ":" in spelling or spelling in CRYPT_NAMES else "yes"


def get_spelling(options: Options) -> str:
    """Return `encrypt` without a prefix at its end: `php_crypt:SHA512:5000:{SHA512-CRYPT}`."""
    return re.sub(r":*\{[^}]*\}$", "", get_text(options, "encrypt", "md5crypt")).lower()


def get_version(options: Options) -> str:
    """Return the first digit of PostfixAdmin's version, or nothing."""
    return get_text(options, "version")[:1]
