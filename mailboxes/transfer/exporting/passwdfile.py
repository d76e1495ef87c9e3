"""Dovecot's passwd-file: who logs in, with the panel's own hashes, and where his mail is."""

import base64
import re

from django.utils.translation import gettext as _

from mailadmin.rows import folded
from mailboxes import maps
from mailboxes.dialects import dialect
from mailboxes.models import Mailbox
from mailboxes.transfer.exporting.answers import Answers
from mailboxes.transfer.kinds import NOBODYS

UNSAFE = re.compile(r"[:\s]")  # what ends a field, a value or a line
ENDING = re.compile(r"[:\r\n]")
WHITE = re.compile(r"\s")
PREFIX = re.compile(r"\{([\w-]+)\}(.*)", re.DOTALL)
CONF = """\
# Lines for the dovecot.conf of a Dovecot 2.3 without a database. Written by mailadmin.

# The home of everybody is his maildir; where mail is one file, his line says so.
mail_location = maildir:~
passdb {
  driver = passwd-file
  args = scheme=CRYPT username_format=%u /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/dovecot/users
}
"""


def pieces(losses, domain, base):
    """A line for every mailbox that is switched on."""
    for page in Answers(everybody(), domain=domain, base=f"{base.rstrip('/')}/").raw_pages():
        for row in page:
            yield from line(*row, losses)


def everybody():
    """Who may log in with what, where his mail is and how much: as Dovecot asks the panel."""
    asking = maps.Asking(dialect())
    fields = maps.fields_of_2_3(asking.dialect)
    password = (
        f"CASE WHEN {maps.password_is_fresh(asking)}"
        f" THEN {maps.scheme_said(asking)} ELSE '{NOBODYS}' END"
    )
    answer = ", ".join([password, fields["home"], fields["mail"], fields["quota_rule"]])
    key, table = asking.key(Mailbox, "username"), asking.dialect.table(Mailbox)
    return maps.Part(Mailbox, answer, table, key, (asking.active("mailbox"),))


def line(user, password, home, mail, quota, losses):
    elsewhere = [] if mail == f"maildir:{home}" else [f"userdb_mail={mail}"]
    extras = [*elsewhere, f"userdb_quota_rule={quota}"]
    if UNSAFE.search(user) or ENDING.search(home) or any(map(WHITE.search, extras)):
        losses.add(_("A name or a folder that a passwd-file cannot hold: no login."), user)
        return
    words = " ".join(extras).replace("%", "%%")  # Dovecot puts values in place of signs
    yield f"{folded(user)}:{fit(password)}::::{home}::{words}\n"


def fit(password):
    """The stored password; one with a colon or a blank in base64, as Dovecot reads it too."""
    if not UNSAFE.search(password):
        return password
    found = PREFIX.fullmatch(password)
    if not found or "." in found[1]:
        return NOBODYS
    return f"{{{found[1]}.B64}}{base64.b64encode(found[2].encode()).decode()}"
