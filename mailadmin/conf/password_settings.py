"""Settings of passwords."""

import json
import re

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    optional_parser,
    parse_boolean,
    parse_breached_file,
    parse_password_scheme,
)

# PostfixAdmin's `password_validation`, besides the length
DEFAULT_PASSWORD_RULES = json.dumps(
    {
        "([a-zA-Z].*){3}": "Use at least 3 letters from a to z.",
        "([0-9].*){2}": "Use at least 2 digits.",
    }
)


def parse_password_rules(value: str) -> tuple[tuple[str, str], ...]:
    """Accept a JSON object of regular expressions and texts; return them as pairs."""
    try:
        rules = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None
    if not isinstance(rules, dict) or not all(isinstance(text, str) for text in rules.values()):
        raise ValueError("is not a JSON object of regular expressions and texts")
    for pattern, text in rules.items():
        if not text.strip():
            raise ValueError(f"contains {pattern!r} without a text")
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"contains {pattern!r}: {error}") from None
    return tuple(rules.items())


PASSWORD_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_LENGTH", "8", integer_parser(1, 64), "minimum length of new passwords"
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_RULES",
        DEFAULT_PASSWORD_RULES,
        parse_password_rules,
        "what new passwords must contain: a JSON object of regular expressions, each with the text"
        " that is shown (the texts of the default are translated); `{}` for none",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_EXPIRATION",
        "yes",
        parse_boolean,
        "`no`: passwords of mailboxes never expire, whatever the domains say",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_BREACHED",
        "",
        optional_parser(parse_breached_file),
        "file of breached passwords that are refused: `SHA-1:count` lines sorted by hash",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_SCHEME",
        "BLF-CRYPT",
        parse_password_scheme,
        "Dovecot scheme in which new passwords are stored",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_PREFIX",
        "auto",
        choice_parser("yes", "no", "auto"),
        "`{SCHEME}` prefix of stored passwords: `yes`, `no`, or `auto` (no prefix for"
        " `$…$` hashes, a prefix for all others)",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_ROUNDS",
        "",
        optional_parser(integer_parser(1)),
        "cost of new hashes, in the unit of the scheme; default: that of the scheme",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_REHASH",
        "no",
        parse_boolean,
        "`yes`: rehash a password in the configured scheme at the next successful sign-in",
    ),
)
