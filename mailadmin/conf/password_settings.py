"""Settings of passwords."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import (
    choice_parser,
    integer_parser,
    optional_parser,
    parse_boolean,
    parse_breached_file,
    parse_password_scheme,
)

PASSWORD_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_LENGTH", "8", integer_parser(1, 64), "minimum length of new passwords"
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
