"""Checks of Dovecot's passwords and logins."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks import hashes
from mailboxes.mailserver.checks.finding import (
    ADVICE,
    ERROR,
    WARNING,
    ConfigCheck,
    Configuration,
    Fault,
    Faults,
)
from mailboxes.mailserver.checks.queries import resolve_tables
from mailboxes.mailserver.config_parser import sql
from mailboxes.mailserver.config_parser.defaults import DEFAULT_SCHEME_2_4, DEFAULT_SCHEMES_2_3
from mailboxes.mailserver.config_parser.dovecot import DovecotFiles, SqlAuthDatabase
from mailboxes.mailserver.config_parser.lines import Line

CHALLENGE_SCHEMES = ("CRAM-MD5",)
PLAINTEXT_SCHEMES = {"PLAIN", "CLEAR", "CLEARTEXT"}
# The panel's views add the scheme as prefix to the hashes that begin with `$`.
SCHEMES_PREFIXED_BY_VIEWS = (hashes.CRYPT_SCHEMES - {"DES-CRYPT"}) | hashes.ARGON2_SCHEMES


def get_default_scheme(dovecot: DovecotFiles, database: SqlAuthDatabase) -> str:
    """Return the scheme of passwords without a prefix."""
    default = DEFAULT_SCHEME_2_4 if dovecot.is_version_2_4 else DEFAULT_SCHEMES_2_3["sql"]
    return (database.value("default_pass_scheme") or default).upper()


def iter_sql_passdbs(configuration: Configuration) -> Iterator[tuple[SqlAuthDatabase, Line, str]]:
    """Yield (database, line, default scheme) of each SQL passdb."""
    dovecot = configuration.dovecot
    for database in dovecot.passdbs():
        name = "default_pass_scheme" if database.value("default_pass_scheme") else "password_query"
        yield database, database.get_line(name), get_default_scheme(dovecot, database)


def iter_default_schemes(configuration: Configuration) -> Iterator[tuple[Line, str]]:
    """Yield (line, default scheme) of each SQL passdb."""
    for _database, line, scheme in iter_sql_passdbs(configuration):
        yield line, scheme


def queries_mailbox_table(configuration: Configuration, database: SqlAuthDatabase) -> bool:
    """Check that the panel's own table is queried, not a view of an older system."""
    found = sql.parse_selects(database.value("password_query"))
    return any("mailbox" in resolve_tables(configuration, select).values() for select in found)


def is_prefixed_by_query(configuration: Configuration, hash_format: str) -> bool:
    """Check whether the password query adds the scheme as prefix to hashes of this format."""
    queries = [database.value("password_query") for database in configuration.dovecot.passdbs()]
    return any(f"{{{hash_format}}}" in query for query in queries)


def get_stored_schemes(configuration: Configuration, prefixed: bool) -> list[str]:
    """Return the names of the schemes (prefixed) or formats (unprefixed) of stored passwords."""
    kinds = configuration.rows.hash_kinds
    return sorted(each.name for each in kinds if each.is_prefixed is prefixed)


class SchemeDoesNotFit(ConfigCheck):
    code = "scheme-does-not-fit"
    severity = ERROR
    title = _("Stored passwords do not match the default scheme")
    reason = _(
        "Passwords without a {SCHEME} prefix are read in the default scheme: their owners"
        " cannot sign in."
    )
    fix = _(
        "Set default_pass_scheme (Dovecot 2.4: default_password_scheme) to the stored"
        " scheme (CRYPT reads all $…$ hashes), or add the prefix to the others:"
        " {SHA512.HEX}…, {ARGON2ID}…"
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        for database, line, scheme in iter_sql_passdbs(configuration):
            for hash_format in get_stored_schemes(configuration, prefixed=False):
                is_prefixed = is_prefixed_by_query(configuration, hash_format) or (
                    hash_format in SCHEMES_PREFIXED_BY_VIEWS
                    and not queries_mailbox_table(configuration, database)
                )
                if not is_prefixed and not hashes.is_readable_as(hash_format, scheme):
                    yield Fault(line, f"{hash_format} ≠ {scheme}")


class UnknownScheme(ConfigCheck):
    code = "unknown-scheme"
    severity = ERROR
    title = _("Unknown password scheme")
    reason = _(
        "Dovecot no longer supports LANMAN, NTLM and similar schemes, and reads a brace"
        " at the start of a password as a scheme: the owners of these passwords cannot"
        " sign in."
    )
    fix = _("Set new passwords, in a scheme that “doveadm pw -l” lists.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        for line, scheme in iter_default_schemes(configuration):
            for name in {
                scheme.partition(".")[0],
                *get_stored_schemes(configuration, prefixed=True),
            }:
                if hashes.is_unknown_scheme(name):
                    yield Fault(line, name)


class CramMd5NotOffered(ConfigCheck):
    code = "cram-md5-not-offered"
    severity = WARNING
    title = _("Passwords are stored for CRAM-MD5, but CRAM-MD5 is not offered")
    reason = _(
        "Mail programs set to CRAM-MD5 cannot sign in: “Unsupported authentication mechanism”."
    )
    fix = _(
        "Add it: auth_mechanisms = plain login cram-md5. If nobody needs it, store a better scheme."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        if "cram-md5" in get_auth_mechanisms(configuration):
            return
        for line, scheme in iter_default_schemes(configuration):
            if {scheme, *get_stored_schemes(configuration, prefixed=True)} & set(CHALLENGE_SCHEMES):
                yield Fault(line, "CRAM-MD5")


class CramMd5WithoutPasswords(ConfigCheck):
    code = "cram-md5-without-passwords"
    severity = WARNING
    title = _("CRAM-MD5 is offered, but no password is stored for it")
    reason = _(
        "It needs passwords stored as CRAM-MD5 or plain text. Mail programs that choose"
        " it automatically cannot sign in."
    )
    fix = _("Remove cram-md5 from auth_mechanisms.")
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        is_offered = "cram-md5" in get_auth_mechanisms(configuration)
        if not is_offered or not configuration.rows.hash_kinds:
            return
        stored = set(get_stored_schemes(configuration, prefixed=True))
        if get_stored_schemes(configuration, prefixed=False):
            stored |= {scheme for _line, scheme in iter_default_schemes(configuration)}
        if not stored & {*CHALLENGE_SCHEMES, *PLAINTEXT_SCHEMES}:
            yield Fault(configuration.dovecot.get_line("auth_mechanisms"))


def get_auth_mechanisms(configuration: Configuration) -> list[str]:
    return configuration.dovecot.value("auth_mechanisms").lower().split()


class DesCrypt(ConfigCheck):
    code = "des-crypt"
    severity = WARNING
    title = _("Passwords are stored as DES crypt")
    reason = _("DES crypt uses only the first eight characters of a password.")
    fix = _(
        "Set MAILADMIN_PASSWORD_SCHEME to BLF-CRYPT or ARGON2ID. Existing passwords are"
        " stored in the new scheme when they are changed."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        names = {
            *get_stored_schemes(configuration, prefixed=True),
            *get_stored_schemes(configuration, prefixed=False),
        }
        for line, scheme in iter_default_schemes(configuration):
            if "DES-CRYPT" in {scheme, *names}:
                yield Fault(line, "DES-CRYPT")


class AliasDomainCannotSignIn(ConfigCheck):
    code = "alias-domain-cannot-sign-in"
    severity = ADVICE
    title = _("Sign-in with an address of an alias domain is not possible")
    reason = _(
        "The query finds mailboxes only: bob@alias.example is rejected, bob@example.org is"
        " accepted."
    )
    fix = _(
        "Let users sign in with the address of their mailbox, or join alias_domain in"
        " password_query and user_query."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration: Configuration) -> Faults:
        for database in configuration.dovecot.passdbs() if configuration.rows.alias_domains else ():
            joins_alias_domain = "alias_domain" in database.value("password_query").lower()
            if queries_mailbox_table(configuration, database) and not joins_alias_domain:
                yield Fault(database.get_line("password_query"))


CONFIG_CHECKS = (
    SchemeDoesNotFit(),
    UnknownScheme(),
    CramMd5NotOffered(),
    CramMd5WithoutPasswords(),
    DesCrypt(),
    AliasDomainCannotSignIn(),
)
