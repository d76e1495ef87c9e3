"""The queries of Dovecot: who may sign in, where their mail is, and all users."""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailboxes.models import AppPassword, Mailbox
from mailboxes.postfix.app_password_queries import (
    APP_PASSWORD_PRIVILEGES,
    JOINED_CONDITION,
    build_app_password_join,
    build_login_fields,
    build_main_password_condition,
    build_salted_conditions,
)
from mailboxes.postfix.dialects import SQLDialect, get_dialect
from mailboxes.postfix.queries import QueryBuilder, render_placeholders
from mailboxes.services.app_password_hashes import ROUNDS, get_salt

# auth_username_chars of the generated configuration: Dovecot looks up no other names.
LOGIN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+=?^_{|}~.@-"
SUBMISSION_SERVICES = ("smtp", "submission")  # Dovecot's names for logins that send
IS_MBOX_CONDITION = "SUBSTR(mailbox.maildir, -1) <> '/'"  # mail in one file, as virtual(8) has it
DOVECOT_PLACEHOLDERS = {
    "2.3": {"key": "'%u'", "service": "'%s'"},
    "2.4": {"key": "'%{user}'", "service": "'%{protocol}'"},
}
# Of the password that is given
DIGEST_PLACEHOLDERS = {
    "2.3": "'%{{sha256;rounds={rounds},salt={salt}:password}}'",
    "2.4": "'%{{password | sha256(rounds={rounds}, salt=\"{salt}\") | hexlify}}'",
}
LOGIN_COLUMNS = (
    *("username", "domain", "password", "active", "smtp_active", "password_expiry", "created"),
)
# The least that Dovecot must be allowed: table → statement → columns, none meaning the row
DOVECOT_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "domain": {"SELECT": ("domain", "password_expiry")},
    "mailbox": {"SELECT": (*LOGIN_COLUMNS, "maildir", "quota")},
    "quota2": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
    **APP_PASSWORD_PRIVILEGES,
}


class DovecotQuery(NamedTuple):
    name: str
    title: str | Promise
    sql: str


class QuotaDictEntry(NamedTuple):
    """A path of Dovecot's quota dictionary, and the column of `quota2` that it writes."""

    path: str
    column: str


QUOTA_DICTIONARY = (
    QuotaDictEntry("priv/quota/storage", "bytes"),
    QuotaDictEntry("priv/quota/messages", "messages"),
)


def build_dovecot_queries(
    version: str = "2.3", alias: str = "default", salted_app_passwords: int = 0
) -> tuple[DovecotQuery, ...]:
    """Return all queries.

    App passwords made in PostfixAdmin are stored with a salt, so they are found by trying them:
    there is a query for the first of a mailbox, one for the second …, as many as asked for.
    """
    builder = QueryBuilder(get_dialect(alias))
    user, active = {"user": "mailbox.username"}, "mailbox.active = 1"
    found = (*builder.key_conditions(Mailbox, "username"), active)
    user_fields = USER_FIELD_BUILDERS[version](builder.dialect)
    mailboxes = builder.dialect.table(Mailbox)
    return (
        DovecotQuery("password", _("Sign-in"), build_password_query(builder, found)),
        DovecotQuery(
            "user", _("Mail location and quota"), build_select(user_fields, mailboxes, found)
        ),
        DovecotQuery("iterate", _("All mailboxes"), build_select(user, mailboxes, (active,))),
        *(build_salted_query(builder, number, found) for number in range(salted_app_passwords)),
    )


def build_password_query(builder: QueryBuilder, found: tuple[str, ...]) -> str:
    """Return the query of a sign-in, with the main password or a generated app password."""
    dialect = builder.dialect
    source = f"{dialect.table(Mailbox)}\n{build_app_password_join(builder)}"
    main = build_password_with_scheme(dialect, "mailbox.password")
    fields = {"user": "mailbox.username"} | build_login_fields(main)
    may_use_main = (build_password_not_expired(dialect), build_main_password_condition(dialect))
    may_sign_in = f"({JOINED_CONDITION} OR ({' AND '.join(may_use_main)}))"
    return build_select(fields, source, (*found, build_may_send(), may_sign_in))


def build_salted_query(builder: QueryBuilder, number: int, found: tuple[str, ...]) -> DovecotQuery:
    """Return the query of one salted app password of a mailbox: of its first if the number is 0."""
    dialect = builder.dialect
    fields = {
        "user": "mailbox.username",
        "password": build_password_with_scheme(dialect, "apppassword.password_hash"),
    }
    source = f"{dialect.table(Mailbox)}, {dialect.table(AppPassword)}"
    conditions = (*found, build_may_send(), *build_salted_conditions(builder))
    select = build_select(fields, source, conditions)
    limit = f"ORDER BY apppassword.id\nLIMIT 1 OFFSET {number}"
    title = _("Sign-in with an app password of PostfixAdmin")
    return DovecotQuery(f"app_password_{number + 1}", title, f"{select}\n{limit}")


def build_may_send() -> str:
    services = ", ".join(f"'{service}'" for service in SUBMISSION_SERVICES)
    return f"(:service NOT IN ({services}) OR mailbox.smtp_active = 1)"


def build_select(fields: dict[str, str], source: str, conditions: tuple[str, ...]) -> str:
    columns = ", ".join(f"{column} AS {name}" for name, column in fields.items())
    where = "\n  AND ".join(conditions)
    return f"SELECT {columns}\nFROM {source}\nWHERE {where}"


def build_password_with_scheme(dialect: SQLDialect, column: str) -> str:
    """Return the stored password; Dovecot's CRYPT reads all of `$…$` but Argon2, which it names."""
    cases = " ".join(
        f"WHEN SUBSTR({column}, 1, {len(prefix)}) = '{prefix}'"
        f" THEN {dialect.concat(repr(scheme), column)}"
        for prefix, scheme in (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"))
    )
    return f"CASE {cases} ELSE {column} END"


def build_password_not_expired(dialect: SQLDialect, row: str = "mailbox") -> str:
    """Require a password in date; dates before 2001 and domains without an expiry set no end."""
    if not settings.MAILADMIN_PASSWORD_EXPIRATION:
        return "1 = 1"
    domain = dialect.equals("place.domain", Domain, "domain", f"{row}.domain")
    return (
        f"({row}.password_expiry > {dialect.now}"
        f" OR {row}.password_expiry < '2001-01-01'"
        f" OR NOT EXISTS (SELECT 1 FROM {dialect.table(Domain, 'place')}"
        f" WHERE {domain} AND place.password_expiry > 0))"
    )


def case_mbox_or_maildir(mbox: str, maildir: str) -> str:
    """Return an expression that depends on whether the mail is in a file or in a folder."""
    return f"CASE WHEN {IS_MBOX_CONDITION} THEN {mbox} ELSE {maildir} END"


def build_home(dialect: SQLDialect) -> str:
    """Return the home: the maildir, or a folder beside the mbox."""
    beside = dialect.concat(":base", "mailbox.maildir", "'.home'")
    return case_mbox_or_maildir(beside, dialect.concat(":base", "mailbox.maildir"))


def build_user_fields_2_3(dialect: SQLDialect) -> dict[str, str]:
    quota = dialect.non_negative("mailbox.quota")
    path = (":base", "mailbox.maildir")
    mbox = dialect.concat("'mbox:'", *path, "'.home/mail:INBOX='", *path)
    return {
        "home": build_home(dialect),
        "mail": case_mbox_or_maildir(mbox, dialect.concat("'maildir:'", *path)),
        "quota_rule": dialect.concat("'*:bytes='", quota),
    }


def build_user_fields_2_4(dialect: SQLDialect) -> dict[str, str]:
    quota = dialect.non_negative("mailbox.quota")
    path = (":base", "mailbox.maildir")
    folders, store = dialect.concat(*path, "'.home/mail'"), dialect.concat(*path)
    return {
        "home": build_home(dialect),
        "mail_driver": case_mbox_or_maildir("'mbox'", "'maildir'"),
        "mail_path": case_mbox_or_maildir(folders, store),
        "mail_inbox_path": case_mbox_or_maildir(store, "NULL"),
        "quota_storage_size": dialect.concat(quota, "'B'"),
        # By how much the last message may exceed it: a tenth, as in 2.3. The default is 10 MB.
        "quota_storage_grace": dialect.concat(dialect.integer_divide(quota, 10), "'B'"),
    }


USER_FIELD_BUILDERS: dict[str, Callable[[SQLDialect], dict[str, str]]] = {
    "2.3": build_user_fields_2_3,
    "2.4": build_user_fields_2_4,
}


def render_for_dovecot(sql: str, version: str, base: str) -> str:
    values = {"base": f"'{base.rstrip('/')}/'"}
    if ":digest" in sql:
        digest = DIGEST_PLACEHOLDERS[version].format(rounds=ROUNDS, salt=get_salt())
        values["digest"] = digest
    return render_placeholders(sql, DOVECOT_PLACEHOLDERS[version] | values)
