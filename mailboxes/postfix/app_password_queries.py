"""Parts of Dovecot's queries about app passwords, and the queries of those made in PostfixAdmin."""

from mailboxes.models import (
    AppPassword,
    AppPasswordLimits,
    DomainMailLogin,
    MailboxMailLogin,
)
from mailboxes.models.app_passwords import GENERATED_PREFIX
from mailboxes.postfix.dialects import SQLDialect
from mailboxes.postfix.queries import QueryBuilder
from mailboxes.services.app_password_hashes import get_hash_prefix, get_salt

# Dovecot's names of the services → the column of the limits that permits them
PROTOCOL_COLUMNS = {
    "imap": "imap",
    "pop3": "pop3",
    "smtp": "smtp",
    "submission": "smtp",
    "sieve": "sieve",
}
APP_PASSWORD_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "mailbox_app_password": {"SELECT": ("id", "username", "password_hash")},
    "mailadmin_app_password": {
        "SELECT": (
            *("app_password", *dict.fromkeys(PROTOCOL_COLUMNS.values())),
            *("networks", "expires", "created"),
        )
    },
    "mailadmin_domain_mail_login": {"SELECT": ("domain", "app_passwords_only")},
    "mailadmin_mailbox_mail_login": {"SELECT": ("username", "app_passwords_only")},
    "mailadmin_last_login": {"SELECT": (), "INSERT": (), "UPDATE": ()},
}
JOINED_CONDITION = "apppassword.id IS NOT NULL"  # after the join below


def build_app_password_join(builder: QueryBuilder) -> str:
    """Return a join of the generated app password that was given, if it is good for this login.

    It is found by its hash, so a mailbox may have any number of them.
    """
    dialect = builder.dialect
    stored = build_generated_hash(dialect)
    conditions = (
        builder.equals(AppPassword, "username"),
        builder.equals(AppPassword, "password_hash", stored),
        f"(apppasswordlimits.expires IS NULL OR apppasswordlimits.expires > {dialect.now})",
        # Else it is that of an earlier mailbox of this name, which PostfixAdmin has left.
        "apppasswordlimits.created >= mailbox.created",
        build_protocol_condition(),
    )
    rows = (
        f"{dialect.table(AppPassword)} JOIN {dialect.table(AppPasswordLimits)}"
        " ON apppasswordlimits.app_password = apppassword.id"
    )
    return f"LEFT JOIN ({rows})\n  ON {' AND '.join(conditions)}"


def build_generated_hash(dialect: SQLDialect) -> str:
    """Return what is stored for the given password, if it is a generated one."""
    return dialect.concat(f"'{get_hash_prefix(get_salt())}'", ":digest")


def build_protocol_condition() -> str:
    cases = " ".join(
        f"WHEN '{service}' THEN apppasswordlimits.{column}"
        for service, column in PROTOCOL_COLUMNS.items()
    )
    return f"CASE :service {cases} ELSE 0 END = 1"


def build_login_fields(main_password: str) -> dict[str, str]:
    """Return the main password; or none, where an app password was found by what was given.

    Dovecot takes NULL for a field that is missing.
    """
    return {
        "password": f"CASE WHEN {JOINED_CONDITION} THEN NULL ELSE {main_password} END",
        "nopassword": f"CASE WHEN {JOINED_CONDITION} THEN 'Y' END",
        "allow_nets": "NULLIF(apppasswordlimits.networks, '')",
        "userdb_app_password": "apppassword.id",
    }


def build_main_password_condition(
    dialect: SQLDialect, key: str = ":key", row: str = "mailbox"
) -> str:
    """Require that mail programs may use the main password: the mailbox decides, else the domain.

    The domain is compared with a column, which may have another collation.
    """
    own = (
        f"SELECT maillogin.app_passwords_only FROM {dialect.table(MailboxMailLogin, 'maillogin')}"
        f" WHERE {dialect.equals('maillogin.username', MailboxMailLogin, 'username', key)}"
    )
    domain = dialect.equals("maillogin.domain", DomainMailLogin, "domain", f"{row}.domain")
    of_domain = (
        f"SELECT maillogin.app_passwords_only FROM {dialect.table(DomainMailLogin, 'maillogin')}"
        f" WHERE {domain}"
    )
    return f"COALESCE(({own}), ({of_domain}), 0) = 0"


def build_salted_conditions(builder: QueryBuilder) -> tuple[str, ...]:
    """Return the conditions of a mailbox's app passwords that the panel has not generated."""
    start = f"SUBSTR(apppassword.password_hash, 1, {len(GENERATED_PREFIX)})"
    return builder.equals(AppPassword, "username"), f"{start} <> '{GENERATED_PREFIX}'"
