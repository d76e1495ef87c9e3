"""The settings of single sign-on, by a provider or a reverse proxy, and of forgotten passwords."""

from mailadmin.conf.environment_setting import EnvironmentSetting
from mailadmin.conf.parsers import choice_parser, parse_boolean, parse_text, regex_parser
from mailadmin.conf.sign_in import (
    parse_claim_value,
    parse_issuer,
    parse_scopes,
    parse_sign_in_header,
)

SIGN_IN_SETTINGS = (
    EnvironmentSetting(
        "MAILADMIN_OIDC_ISSUER",
        "",
        parse_issuer,
        "issuer of the OpenID Connect provider at which people may sign in, e.g."
        " `https://login.example.org/realms/mail`; see [Single sign-on](single-sign-on.md)",
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_CLIENT_ID", "", parse_text, "client ID of the panel at the provider"
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_CLIENT_SECRET",
        "",
        parse_text,
        "client secret of the panel at the provider",
        secret=True,
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_NAME",
        "",
        parse_text,
        "name of the provider, for the button *Sign in with …*; default: *Single sign-on*",
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_SCOPES",
        "openid email",
        parse_scopes,
        "scopes that are asked for",
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_ADDRESS_CLAIM",
        "email",
        regex_parser(r"[^\s=]+", "the name of a claim"),
        "claim with the email address of the person",
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_VERIFIED_CLAIM",
        "email_verified",
        regex_parser(r"[^\s=]+", "the name of a claim"),
        "claim that has to be true: the provider has verified the address",
    ),
    EnvironmentSetting(
        "MAILADMIN_OIDC_SUPERADMIN_CLAIM",
        "",
        parse_claim_value,
        "`claim=value`: superadmins may sign in at the provider if this claim is, or contains,"
        " the value; default: superadmins sign in with their password only",
    ),
    EnvironmentSetting(
        "MAILADMIN_LOCAL_SIGN_IN",
        "everybody",
        choice_parser("everybody", "superadmins"),
        "who may sign in with a password of the panel while there is single sign-on:"
        " `everybody` or `superadmins`",
    ),
    EnvironmentSetting(
        "MAILADMIN_SIGN_IN_HEADER",
        "",
        parse_sign_in_header,
        "header with the address of the person whom a reverse proxy of"
        " `MAILADMIN_TRUSTED_PROXIES` has signed in, e.g. `X-Remote-User`; or `REMOTE_USER`,"
        " the variable of a web server that runs the panel itself",
    ),
    EnvironmentSetting(
        "MAILADMIN_SIGN_IN_HEADER_SUPERADMINS",
        "no",
        parse_boolean,
        "whether superadmins may be signed in by the header",
    ),
    EnvironmentSetting(
        "MAILADMIN_PASSWORD_RECOVERY",
        "all",
        choice_parser("all", "mailboxes", "admins", "no"),
        "who can set a new password by a link that is sent to their recovery address: `all`,"
        " owners of `mailboxes`, `admins`, or nobody (`no`); needs `MAILADMIN_URL`",
    ),
)
