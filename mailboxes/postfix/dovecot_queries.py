"""The queries of Dovecot: who may sign in, where their mail is, and all users."""

from collections.abc import Callable
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailboxes.models import Mailbox
from mailboxes.postfix.dialects import SQLDialect, get_dialect
from mailboxes.postfix.queries import QueryBuilder, render_placeholders

# auth_username_chars of the generated configuration: Dovecot looks up no other names.
LOGIN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+=?^_{|}~.@-"
SUBMISSION_SERVICES = ("smtp", "submission")  # Dovecot's names for logins that send
IS_MBOX_CONDITION = "SUBSTR(mailbox.maildir, -1) <> '/'"  # mail in one file, as virtual(8) has it
DOVECOT_PLACEHOLDERS = {
    "2.3": {"key": "'%u'", "service": "'%s'"},
    "2.4": {"key": "'%{user}'", "service": "'%{protocol}'"},
}
LOGIN_COLUMNS = ("username", "domain", "password", "active", "smtp_active", "password_expiry")
# The least that Dovecot must be allowed: table → statement → columns, none meaning the row
DOVECOT_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "domain": {"SELECT": ("domain", "password_expiry")},
    "mailbox": {"SELECT": (*LOGIN_COLUMNS, "maildir", "quota")},
    "quota2": {"SELECT": (), "INSERT": (), "UPDATE": (), "DELETE": ()},
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


def build_dovecot_queries(version: str = "2.3", alias: str = "default") -> tuple[DovecotQuery, ...]:
    builder = QueryBuilder(get_dialect(alias))
    user, active = {"user": "mailbox.username"}, "mailbox.active = 1"
    found = (*builder.key_conditions(Mailbox, "username"), active)
    services = ", ".join(f"'{service}'" for service in SUBMISSION_SERVICES)
    may_send = f"(:service NOT IN ({services}) OR mailbox.smtp_active = 1)"
    login = (*found, may_send, build_password_not_expired(builder))
    password = user | {"password": build_password_with_scheme(builder.dialect)}
    user_fields = USER_FIELD_BUILDERS[version](builder.dialect)
    return tuple(
        DovecotQuery(name, title, build_mailbox_select(builder.dialect, fields, conditions))
        for name, title, fields, conditions in (
            ("password", _("Sign-in"), password, login),
            ("user", _("Mail location and quota"), user_fields, found),
            ("iterate", _("All mailboxes"), user, (active,)),
        )
    )


def build_mailbox_select(
    dialect: SQLDialect, fields: dict[str, str], conditions: tuple[str, ...]
) -> str:
    columns = ", ".join(f"{column} AS {name}" for name, column in fields.items())
    where = "\n  AND ".join(conditions)
    return f"SELECT {columns}\nFROM {dialect.table(Mailbox)}\nWHERE {where}"


def build_password_with_scheme(dialect: SQLDialect) -> str:
    """Return the stored password; Dovecot's CRYPT reads all of `$…$` but Argon2, which it names."""
    cases = " ".join(
        f"WHEN SUBSTR(mailbox.password, 1, {len(prefix)}) = '{prefix}'"
        f" THEN {dialect.concat(repr(scheme), 'mailbox.password')}"
        for prefix, scheme in (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"))
    )
    return f"CASE {cases} ELSE mailbox.password END"


def build_password_not_expired(builder: QueryBuilder) -> str:
    """Require a password in date; dates before 2001 and domains without an expiry set no end."""
    domain = builder.dialect.equals("place.domain", Domain, "domain", "mailbox.domain")
    return (
        f"(mailbox.password_expiry > {builder.dialect.now}"
        " OR mailbox.password_expiry < '2001-01-01'"
        f" OR NOT EXISTS (SELECT 1 FROM {builder.dialect.table(Domain, 'place')}"
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
    base_folder = {"base": f"'{base.rstrip('/')}/'"}
    return render_placeholders(sql, DOVECOT_PLACEHOLDERS[version] | base_folder)
