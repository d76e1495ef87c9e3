"""Dovecot's passwd-file: logins with the panel's own hashes, and where their mail is."""

import base64
import re
from collections.abc import Iterator
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.models import AppPassword, Mailbox
from mailboxes.postfix.app_password_queries import build_main_password_condition
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.dovecot_queries import (
    USER_FIELD_BUILDERS,
    build_password_not_expired,
    build_password_with_scheme,
)
from mailboxes.postfix.queries import LookupSelect, QueryBuilder
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export.answers import MapAnswers
from mailboxes.transfer.row_types import UNUSABLE_PASSWORD_HASH

SEPARATOR_RE = re.compile(r"[:\s]")  # ends a field, a value or a line
FIELD_END_RE = re.compile(r"[:\r\n]")
WHITESPACE_RE = re.compile(r"\s")
SCHEME_PREFIX_RE = re.compile(r"\{([\w-]+)\}(.*)", re.DOTALL)
DOVECOT_CONF = {
    "2.3": """\
# Lines for the dovecot.conf of a Dovecot 2.3 without a database. Written by mailadmin.

# Everybody's home is their maildir; where mail is one file, their line says so.
mail_location = maildir:~
passdb {
  driver = passwd-file
  args = scheme=CRYPT username_format=%u /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
""",
    "2.4": """\
# Lines for the dovecot.conf of a Dovecot 2.4 without a database. Written by mailadmin.

# Everybody's home is their maildir; where mail is one file, their line says so.
mail_driver = maildir
mail_path = ~
mail_inbox_path = .
# Old hashes are read as before.
auth_allow_weak_schemes = yes
passdb passwd-file {
  default_password_scheme = CRYPT
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
""",
}


ESCAPED_PERCENT = {"2.3": "%%", "2.4": "%"}  # 2.3 replaces variables such as `%d`


def iter_passwd_lines(
    losses: Losses, domain: str, mail_directory: str, version: str
) -> Iterator[str]:
    """Yield a line for every active mailbox, in the format of this version of Dovecot."""
    fields = USER_FIELD_BUILDERS[version](get_dialect())
    rows = MapAnswers(
        build_users_part(fields), domain=domain, mail_directory=f"{mail_directory.rstrip('/')}/"
    )
    for page in rows.iter_raw_pages():
        report_app_passwords([user for user, *_values in page], losses)
        for user, password, *values in page:
            user_fields = dict(zip(fields, values, strict=True))
            yield from iter_passwd_line(
                user,
                password,
                user_fields.pop("home"),
                user_fields,
                ESCAPED_PERCENT[version],
                losses,
            )


def report_app_passwords(users: list[str], losses: Losses) -> None:
    """Report the app passwords of mailboxes: a passwd-file has one password for each."""
    text = _("App passwords, which a passwd-file cannot hold: mail programs that use them stop.")
    own = AppPassword.objects.filter(mailbox__in=users).order_by("mailbox")
    for user, count in own.values_list("mailbox").annotate(count=Count("pk")):
        losses.add(text, user, count)


def build_users_part(fields: dict[str, str]) -> LookupSelect:
    """Return the query of logins: password, mail location and quota, as Dovecot asks the panel."""
    builder = QueryBuilder(get_dialect())
    may_sign_in = (
        f"{build_password_not_expired(builder.dialect)}"
        f" AND {build_main_password_condition(builder.dialect)}"
    )
    stored = build_password_with_scheme(builder.dialect, "mailbox.password")
    password = f"CASE WHEN {may_sign_in} THEN {stored} ELSE '{UNUSABLE_PASSWORD_HASH}' END"
    answer = ", ".join([password, *fields.values()])
    key, table = builder.key_conditions(Mailbox, "username"), builder.dialect.table(Mailbox)
    return LookupSelect(Mailbox, answer, table, key, (builder.active("mailbox"),))


def iter_passwd_line(
    user: str, password: str, home: str, user_fields: dict[str, Any], percent: str, losses: Losses
) -> Iterator[str]:
    defaults = {"mail": f"maildir:{home}", "mail_driver": "maildir", "mail_path": home}
    extra = {
        name: text for name, text in user_fields.items() if text not in (None, defaults.get(name))
    }
    extras = [f"userdb_{name}={text}" for name, text in extra.items()]
    if (
        SEPARATOR_RE.search(user)
        or FIELD_END_RE.search(home)
        or any(map(WHITESPACE_RE.search, extras))
    ):
        losses.add(_("Name or folder that cannot be stored in a passwd-file: no sign-in."), user)
        return
    extra_fields = " ".join(extras).replace("%", percent)
    yield f"{fold(user)}:{encode_password(password)}::::{home}::{extra_fields}\n"


def encode_password(password: str) -> str:
    """Return the stored password, in base64 if it holds a colon or a blank; Dovecot reads both."""
    if not SEPARATOR_RE.search(password):
        return password
    match = SCHEME_PREFIX_RE.fullmatch(password)
    if not match or "." in match[1]:
        return UNUSABLE_PASSWORD_HASH
    return f"{{{match[1]}.B64}}{base64.b64encode(match[2].encode()).decode()}"
