"""Stored passwords as other programs verify them: their prefixes, and none that may not be used."""

from mailboxes.postfix.app_password_queries import build_main_password_condition
from mailboxes.postfix.dovecot_queries import build_password_not_expired
from mailboxes.transfer.legacy_views.sql import ROW_ALIAS, ViewSqlBuilder

HASH_PREFIX_SCHEMES = (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"), ("$", "{CRYPT}"))
COLUMN = f"{ROW_ALIAS}.password"
WITHOUT_PREFIX = f"SUBSTR({COLUMN}, LOCATE('}}', {COLUMN}) + 1)"
# No password has these hashes, in SOGo and in PHP.
LOCKED, PHP_LOCKED = "{CRYPT}*", "*"

# Regular expressions: crypt(3) and argon2 with or without a prefix, crypt(3) of DES
CRYPT = "^([{][A-Z0-9-]*CRYPT[}])?[$]"
ARGON2I = "^([{]ARGON2I[}])?[$]argon2i[$]"
ARGON2ID = "^([{]ARGON2ID[}])?[$]argon2id[$]"
DES = "^([{](DES-)?CRYPT[}])?[./0-9A-Z]{13}$"
# Schemes whose values SOGo reads as Dovecot writes them; it takes SHA for one in hex.
SHA1 = "^[{]SHA1?[}][A-Z0-9+/]{27}=$"
MD5_HEX = "^[0-9A-F]{32}$"
SOGO_SCHEMES = "SHA256|SSHA256|SHA512|SSHA512|SSHA|SMD5|LDAP-MD5|PLAIN-MD5|CRAM-MD5|PLAIN|CLEARTEXT"


def dovecot_password() -> str:
    """Return the hash with its scheme, whatever default the older Dovecot has."""
    cases = " ".join(
        f"WHEN LEFT({COLUMN}, {len(prefix)}) = '{prefix}' THEN CONCAT('{scheme}', {COLUMN})"
        for prefix, scheme in HASH_PREFIX_SCHEMES
    )
    return f"CASE {cases} ELSE {COLUMN} END"


def sogo_password(builder: ViewSqlBuilder) -> str:
    """Return the hash with a scheme that SOGo knows.

    SOGo compares a value without one as it is: a stolen hash would be a password.
    """
    cases = {
        ARGON2ID: from_dollar("{ARGON2ID}"),
        ARGON2I: from_dollar("{ARGON2I}"),
        CRYPT: from_dollar("{CRYPT}"),
        DES: f"CONCAT('{{CRYPT}}', {WITHOUT_PREFIX})",
        SHA1: f"CONCAT('{{SHA.B64}}', {WITHOUT_PREFIX})",
        MD5_HEX: f"CONCAT('{{PLAIN-MD5}}', {COLUMN})",
        f"^[{{]({SOGO_SCHEMES})[}}].": COLUMN,
    }
    return usable_password(builder, cases, LOCKED)


def nextcloud_password(builder: ViewSqlBuilder) -> str:
    """Return the hash as PHP's `password_verify` reads it, which knows no prefixes."""
    cases = dict.fromkeys((ARGON2ID, ARGON2I, CRYPT), from_dollar("")) | {DES: WITHOUT_PREFIX}
    return usable_password(builder, cases, PHP_LOCKED)


def from_dollar(prefix: str) -> str:
    return f"CONCAT('{prefix}', SUBSTR({COLUMN}, LOCATE('$', {COLUMN})))"


def usable_password(builder: ViewSqlBuilder, cases: dict[str, str], locked: str) -> str:
    """Return the value of the first pattern that matches, if mail programs may use the password."""
    whens = " ".join(
        f"WHEN {COLUMN} REGEXP '(?i){pattern}' THEN {value}" for pattern, value in cases.items()
    )
    conditions = (
        build_password_not_expired(builder.dialect, ROW_ALIAS),
        build_main_password_condition(builder.dialect, f"{ROW_ALIAS}.username", ROW_ALIAS),
    )
    known = f"CASE {whens} ELSE '{locked}' END"
    return f"CASE WHEN {' AND '.join(conditions)} THEN {known} ELSE '{locked}' END"
