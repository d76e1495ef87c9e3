"""PostfixAdmin's `encrypt`: how it stores new passwords, as a scheme and a prefix of the panel."""

from mailadmin.conf.postfixadmin_schemes import (
    SCHEME_NAMES,
    SCHEMES_BY_VERSION,
    choose_prefix,
    strip_prefix,
)
from mailadmin.passwords.schemes import parse_scheme_setting
from mailboxes.postfixadmin.outcomes import NotConverted, NotNeeded, Options, get_text


def build_scheme(options: Options) -> str:
    """Return the scheme of new passwords."""
    spelling = strip_prefix(get_encrypt(options))
    if spelling in SCHEMES_BY_VERSION:
        return choose_by_version(spelling, get_version(options))
    if spelling.startswith("authlib"):
        raise NotConverted(
            "Dovecot does not read Courier's {md5raw}: choose a MAILADMIN_PASSWORD_SCHEME; new"
            " passwords are stored in it, and people need new ones"
        )
    choice = parse_scheme_setting(SCHEME_NAMES.get(spelling, spelling))
    if choice is None:
        raise NotConverted(
            f"the panel cannot write {spelling}: choose a MAILADMIN_PASSWORD_SCHEME that Dovecot"
            " reads; existing passwords keep working where Dovecot reads them"
        )
    if choice.rounds is not None:
        return spelling
    return choice.canonical_name + (choice.encoding and f".{choice.encoding}")


def choose_by_version(spelling: str, version: str) -> str:
    schemes = SCHEMES_BY_VERSION[spelling]
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
    return choose_prefix(get_encrypt(options), get_version(options))


def get_encrypt(options: Options) -> str:
    return get_text(options, "encrypt", "md5crypt")


def get_version(options: Options) -> str:
    """Return the first digit of PostfixAdmin's version, or nothing."""
    return get_text(options, "version")[:1]
