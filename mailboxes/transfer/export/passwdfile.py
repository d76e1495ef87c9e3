"""Dovecot's passwd-file: who logs in, with the panel's own hashes, and where their mail is."""

import base64
import re

from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailboxes.models import Mailbox
from mailboxes.postfix import maps
from mailboxes.postfix.dialects import dialect
from mailboxes.transfer.export.answers import Answers
from mailboxes.transfer.row_types import NOBODYS

UNSAFE = re.compile(r"[:\s]")  # what ends a field, a value or a line
ENDING = re.compile(r"[:\r\n]")
WHITE = re.compile(r"\s")
PREFIX = re.compile(r"\{([\w-]+)\}(.*)", re.DOTALL)
CONF = {
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


PERCENT = {"2.3": "%%", "2.4": "%"}  # 2.3 puts values in place of `%d` and the like


def pieces(losses, domain, base, version):
    """A line for every mailbox that is switched on, as this version of Dovecot reads it."""
    fields = maps.USER_FIELDS[version](dialect())
    rows = Answers(everybody(fields), domain=domain, base=f"{base.rstrip('/')}/")
    for page in rows.raw_pages():
        for user, password, *values in page:
            said = dict(zip(fields, values, strict=True))
            yield from line(user, password, said.pop("home"), said, PERCENT[version], losses)


def everybody(fields):
    """Who may log in with what, where their mail is and how much: as Dovecot asks the panel."""
    asking = maps.Asking(dialect())
    password = (
        f"CASE WHEN {maps.password_is_fresh(asking)}"
        f" THEN {maps.scheme_said(asking)} ELSE '{NOBODYS}' END"
    )
    answer = ", ".join([password, *fields.values()])
    key, table = asking.key(Mailbox, "username"), asking.dialect.table(Mailbox)
    return maps.Part(Mailbox, answer, table, key, (asking.active("mailbox"),))


def line(user, password, home, said, percent, losses):
    usual = {"mail": f"maildir:{home}", "mail_driver": "maildir", "mail_path": home}
    kept = {name: text for name, text in said.items() if text not in (None, usual.get(name))}
    extras = [f"userdb_{name}={text}" for name, text in kept.items()]
    if UNSAFE.search(user) or ENDING.search(home) or any(map(WHITE.search, extras)):
        losses.add(_("A name or a folder that a passwd-file cannot hold: no login."), user)
        return
    words = " ".join(extras).replace("%", percent)
    yield f"{fold(user)}:{fit(password)}::::{home}::{words}\n"


def fit(password):
    """The stored password; one with a colon or a blank in base64, as Dovecot reads it too."""
    if not UNSAFE.search(password):
        return password
    found = PREFIX.fullmatch(password)
    if not found or "." in found[1]:
        return NOBODYS
    return f"{{{found[1]}.B64}}{base64.b64encode(found[2].encode()).decode()}"
