"""Findings about passwords and logins in Dovecot."""

from django.utils.translation import gettext_lazy as _

from mailboxes.mailserver.checks import hashes
from mailboxes.mailserver.checks.finding import ADVICE, ERROR, WARNING, ConfigCheck, Fault
from mailboxes.mailserver.checks.queries import resolve_tables
from mailboxes.mailserver.config_parser import sql

DEFAULT_SCHEMES = {False: "MD5", True: "PLAIN"}  # the default scheme of Dovecot 2.3 and 2.4
CHALLENGE_SCHEMES = ("CRAM-MD5",)
PLAINTEXT_SCHEMES = {"PLAIN", "CLEAR", "CLEARTEXT"}
# What begins with `$` has its scheme in front in the panel's views.
SCHEMES_PREFIXED_BY_VIEWS = (hashes.CRYPT_SCHEMES - {"DES-CRYPT"}) | hashes.ARGON2_SCHEMES


def get_default_scheme(dovecot, database):
    """The scheme of passwords that name none."""
    return (
        database.value("default_pass_scheme") or DEFAULT_SCHEMES[dovecot.is_version_2_4]
    ).upper()


def iter_sql_passdbs(configuration):
    """(database, line, scheme) of each passdb that asks SQL."""
    dovecot = configuration.dovecot
    for database in dovecot.passdbs():
        name = "default_pass_scheme" if database.value("default_pass_scheme") else "password_query"
        yield database, database.where(name), get_default_scheme(dovecot, database)


def iter_default_schemes(configuration):
    """(line, scheme) of each passdb that asks SQL."""
    for _database, line, scheme in iter_sql_passdbs(configuration):
        yield line, scheme


def queries_mailbox_table(configuration, database):
    """Whether the panel's own table is asked, and not a view under an older system's name."""
    found = sql.parse_selects(database.value("password_query"))
    return any("mailbox" in resolve_tables(configuration, select).values() for select in found)


def is_prefixed_by_query(configuration, shape):
    """Whether the password query itself puts the scheme in front of such a password."""
    queries = [database.value("password_query") for database in configuration.dovecot.passdbs()]
    return any(f"{{{shape}}}" in query for query in queries)


def get_stored_schemes(configuration, prefixed):
    """The names of what is stored, by schemes (prefixed) or by shapes."""
    found = configuration.rows.hash_kinds if configuration.rows else ()
    return sorted(each.name for each in found if each.is_prefixed is prefixed)


class SchemeDoesNotFit(ConfigCheck):
    code = "scheme-does-not-fit"
    severity = ERROR
    title = _("Stored passwords are not of the default scheme")
    reason = _(
        "A password without a {SCHEME} in front is read as the default says: these people cannot "
        "sign in."
    )
    fix = _(
        "Set default_pass_scheme (Dovecot 2.4: default_password_scheme) to what is stored (CRYPT "
        "reads all of $…$), or put the scheme in front of the others: {SHA512.HEX}…, {ARGON2ID}…"
    )
    requires = ("dovecot", "rows")

    def find_faults(self, configuration):
        for database, line, scheme in iter_sql_passdbs(configuration):
            for shape in get_stored_schemes(configuration, prefixed=False):
                is_named = is_prefixed_by_query(configuration, shape) or (
                    shape in SCHEMES_PREFIXED_BY_VIEWS
                    and not queries_mailbox_table(configuration, database)
                )
                if not is_named and not hashes.is_readable_as(shape, scheme):
                    yield Fault(line, f"{shape} ≠ {scheme}")


class UnknownScheme(ConfigCheck):
    code = "unknown-scheme"
    severity = ERROR
    title = _("Dovecot has no such password scheme")
    reason = _(
        "LANMAN, NTLM and the like are gone, and a brace at the beginning of a password is taken "
        "for a scheme: nobody signs in with these."
    )
    fix = _("Give these people new passwords; name a scheme that “doveadm pw -l” lists.")
    requires = ("dovecot",)

    def find_faults(self, configuration):
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
    title = _("Passwords are kept for CRAM-MD5, and CRAM-MD5 is not offered")
    reason = _(
        "Programs that are set to CRAM-MD5 are refused: “Unsupported authentication mechanism”."
    )
    fix = _(
        "Add it: auth_mechanisms = plain login cram-md5; or store a better scheme, if nobody "
        "needs it."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration):
        if "cram-md5" in get_auth_mechanisms(configuration):
            return
        for line, scheme in iter_default_schemes(configuration):
            if {scheme, *get_stored_schemes(configuration, prefixed=True)} & set(CHALLENGE_SCHEMES):
                yield Fault(line, "CRAM-MD5")


class CramMd5WithoutPasswords(ConfigCheck):
    code = "cram-md5-without-passwords"
    severity = WARNING
    title = _("CRAM-MD5 is offered, and no password is kept for it")
    reason = _(
        "It needs a CRAM-MD5 or plain password: programs that choose it by themselves are locked "
        "out."
    )
    fix = _("Take cram-md5 out of auth_mechanisms.")
    requires = ("dovecot", "rows")

    def find_faults(self, configuration):
        if (
            "cram-md5" not in get_auth_mechanisms(configuration)
            or not configuration.rows.hash_kinds
        ):
            return
        serving = {*CHALLENGE_SCHEMES, *PLAINTEXT_SCHEMES}
        defaults = {scheme for _line, scheme in iter_default_schemes(configuration)}
        bare = get_stored_schemes(configuration, prefixed=False)
        if not (
            serving
            & {*get_stored_schemes(configuration, prefixed=True), *(defaults if bare else ())}
        ):
            yield Fault(configuration.dovecot.where("auth_mechanisms"))


def get_auth_mechanisms(configuration):
    return configuration.dovecot.value("auth_mechanisms").lower().split()


class DesCrypt(ConfigCheck):
    code = "des-crypt"
    severity = WARNING
    title = _("Passwords are kept by DES crypt")
    reason = _("It looks at eight characters: whoever knows the beginning of a password is in.")
    fix = _(
        "Choose BLF-CRYPT or ARGON2ID (MAILADMIN_PASSWORD_SCHEME); a password is stored anew when "
        "it is set anew."
    )
    requires = ("dovecot",)

    def find_faults(self, configuration):
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
    title = _("Nobody signs in by an address of an alias domain")
    reason = _(
        "The query looks for mailboxes only, so bob@alias.example is refused where bob@example is "
        "let in."
    )
    fix = _(
        "Tell people their mailbox's own address, or let password_query and user_query join "
        "alias_domain."
    )
    requires = ("dovecot", "rows")

    def find_faults(self, configuration):
        for database in configuration.dovecot.passdbs() if configuration.rows.alias_domains else ():
            query = database.value("password_query")
            found = {
                t
                for s in sql.parse_selects(query)
                for t in resolve_tables(configuration, s).values()
            }
            if "mailbox" in found and "alias_domain" not in query.lower():
                yield Fault(database.where("password_query"))


CONFIG_CHECKS = (
    SchemeDoesNotFit(),
    UnknownScheme(),
    CramMd5NotOffered(),
    CramMd5WithoutPasswords(),
    DesCrypt(),
    AliasDomainCannotSignIn(),
)
