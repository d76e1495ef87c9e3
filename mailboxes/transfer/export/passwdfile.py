"""Dovecot's passwd-file: who logs in, with the panel's own hashes, and where their mail is."""

import base64
import re

from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.models import Mailbox
from mailboxes.postfix import maps
from mailboxes.postfix.dialects import get_dialect
from mailboxes.transfer.export.answers import MapAnswers
from mailboxes.transfer.row_types import UNUSABLE_PASSWORD_HASH

SEPARATOR_RE = re.compile(r"[:\s]")  # what ends a field, a value or a line
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


ESCAPED_PERCENT = {"2.3": "%%", "2.4": "%"}  # 2.3 puts values in place of `%d` and the like


def iter_passwd_lines(losses, domain, base, version):
    """A line for every mailbox that is switched on, as this version of Dovecot reads it."""
    fields = maps.USER_FIELD_BUILDERS[version](get_dialect())
    rows = MapAnswers(build_users_part(fields), domain=domain, base=f"{base.rstrip('/')}/")
    for page in rows.iter_raw_pages():
        for user, password, *values in page:
            said = dict(zip(fields, values, strict=True))
            yield from iter_passwd_line(
                user, password, said.pop("home"), said, ESCAPED_PERCENT[version], losses
            )


def build_users_part(fields):
    """Who may log in with what, where their mail is and how much: as Dovecot asks the panel."""
    asking = maps.QueryBuilder(get_dialect())
    password = (
        f"CASE WHEN {maps.build_password_not_expired(asking)}"
        f" THEN {maps.password_with_scheme(asking)} ELSE '{UNUSABLE_PASSWORD_HASH}' END"
    )
    answer = ", ".join([password, *fields.values()])
    key, table = asking.key(Mailbox, "username"), asking.dialect.table(Mailbox)
    return maps.LookupSelect(Mailbox, answer, table, key, (asking.active("mailbox"),))


def iter_passwd_line(user, password, home, said, percent, losses):
    usual = {"mail": f"maildir:{home}", "mail_driver": "maildir", "mail_path": home}
    kept = {name: text for name, text in said.items() if text not in (None, usual.get(name))}
    extras = [f"userdb_{name}={text}" for name, text in kept.items()]
    if (
        SEPARATOR_RE.search(user)
        or FIELD_END_RE.search(home)
        or any(map(WHITESPACE_RE.search, extras))
    ):
        losses.add(_("A name or a folder that a passwd-file cannot hold: no login."), user)
        return
    words = " ".join(extras).replace("%", percent)
    yield f"{fold(user)}:{encode_password(password)}::::{home}::{words}\n"


def encode_password(password):
    """The stored password; one with a colon or a blank in base64, as Dovecot reads it too."""
    if not SEPARATOR_RE.search(password):
        return password
    found = SCHEME_PREFIX_RE.fullmatch(password)
    if not found or "." in found[1]:
        return UNUSABLE_PASSWORD_HASH
    return f"{{{found[1]}.B64}}{base64.b64encode(found[2].encode()).decode()}"
