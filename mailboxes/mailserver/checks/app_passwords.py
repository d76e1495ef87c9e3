"""Checks of how Dovecot reads app passwords."""

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks.finding import WARNING, ConfigCheck, Configuration, Fault, Faults
from mailboxes.mailserver.checks.logins import queries_mailbox_table
from mailboxes.mailserver.config_parser.dovecot import SqlAuthDatabase

LIMITS_TABLE, SALTED_TABLE = "mailadmin_app_password", "mailbox_app_password"


def finds_generated(database: SqlAuthDatabase, hash_prefix: str = "") -> bool:
    """Check whether a query finds generated app passwords whose hashes begin so."""
    query = database.value("password_query")
    return LIMITS_TABLE in query and hash_prefix in query


def tries_salted(database: SqlAuthDatabase) -> bool:
    """Check whether a query is that of one app password made in PostfixAdmin."""
    return SALTED_TABLE in database.value("password_query") and not finds_generated(database)


class AppPasswordsNotQueried(ConfigCheck):
    code = "app-passwords-not-queried"
    severity = WARNING
    title = _("App passwords are refused")
    reason = _(
        "Mailboxes have app passwords, but no query of Dovecot reads them with the salt that this"
        " database has."
    )
    fix = _(
        "Run “mailadmin mailserver config” again, and accounts.sql, which lets Dovecot read"
        " the tables."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        databases, rows = configuration.dovecot.passdbs(), configuration.rows
        is_found = any(finds_generated(each, rows.app_password_prefix) for each in databases)
        if is_found or not rows.has_generated_app_passwords:
            return
        for database in databases:
            if queries_mailbox_table(configuration, database):
                yield Fault(database.get_line("password_query"))


class TooFewAppPasswordQueries(ConfigCheck):
    code = "too-few-app-password-queries"
    severity = WARNING
    title = _("Some app passwords made in PostfixAdmin are refused")
    reason = _("A mailbox has more of them than Dovecot has queries for.")
    fix = _(
        "Run “mailadmin mailserver config” again (--postfixadmin-app-passwords sets the number),"
        " or have the owners create app passwords in the panel."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        databases = configuration.dovecot.passdbs()
        tried = sum(map(tries_salted, databases))
        most = configuration.rows.most_salted_app_passwords
        if most <= tried:
            return
        for database in databases[:1]:
            yield Fault(database.get_line("password_query"), f"{most} > {tried}")


class AuthCacheKeepsPasswords(ConfigCheck):
    code = "auth-cache-keeps-passwords"
    severity = WARNING
    title = _("Revoked app passwords still work for a while")
    reason = _("Dovecot keeps accepted passwords in a cache until auth_cache_ttl has passed.")
    fix = _("Remove auth_cache_size, or set a short auth_cache_ttl such as 10 secs.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        dovecot, rows = configuration.dovecot, configuration.rows
        size = dovecot.value("auth_cache_size").strip()
        if rows.has_app_passwords and size.rstrip("BKMGT ") not in ("", "0"):
            yield Fault(dovecot.get_line("auth_cache_size"), size)


CONFIG_CHECKS = (AppPasswordsNotQueried(), TooFewAppPasswordQueries(), AuthCacheKeepsPasswords())
