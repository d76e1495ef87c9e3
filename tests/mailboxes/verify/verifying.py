"""Rows to compare, the command, and changes of the server's files."""

import contextlib
import io
import json
import os
import smtplib
import time

from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from domains.models import Domain
from domains.services.alias_domains import create_alias_domains
from domains.services.domains import edit_domain, set_domains
from domains.services.transports import create_transports, set_transports
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.models import Alias, Mailbox
from mailboxes.services.aliases import create_aliases, set_aliases
from mailboxes.services.domains import create_domains
from mailboxes.services.mailboxes import create_mailboxes, set_mailboxes
from mailboxes.services.sender_permissions import create_sender_permissions
from tests.base import PASSWORD


def reload_postfix(server):
    """Reload and wait until it responds; with a broken configuration it may not."""
    server.tool("postfix", "reload")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            smtplib.SMTP("127.0.0.1", server.port, timeout=1).quit()
            return


def make(service, *arguments):
    return perform(Actor.console(), service, *arguments)


# Rows of the transport table; that of away.test counts before the domain's own.
WAYS = {
    "away.test": "smtp:[127.0.0.1]:10",
    "bob@example.org": "smtp:[a.test], [b.test]:25",
    "off@example.org": "discard:",
    ".example.org": ":",
    "*": "smtp:",
}


PERMISSIONS = (
    ("billing@example.org", "bob@example.org"),
    ("bob@example.org", "carol@example.com"),
    ("@example.org", "fresh@old.test"),
    ("off@example.org", "no-row@example.org"),
)


def varied_world():
    """Create rows of every kind, in every state."""
    names = ("off.test", "backup.test", "listed.test", "mirror.test", "away.test", "old.test")
    rows = {name: {"domain": name, "default_aliases": False} for name in names}
    rows["away.test"]["transport"] = "smtp:[127.0.0.1]:9"
    make(create_transports, [{"pattern": key, "transport": way} for key, way in WAYS.items()])
    make(set_transports, ["off@example.org"], "active", False)
    rows["backup.test"]["backupmx"] = rows["listed.test"]["backupmx"] = True
    make(create_domains, list(rows.values()))
    there = {domain.pk: domain for domain in Domain.objects.all()}
    ends = {"alias_domain": there["mirror.test"], "target_domain": there["example.org"]}
    make(create_alias_domains, [ends])
    for local_part, name in (
        ("off", "example.org"),
        ("bob", "off.test"),
        ("bob", "listed.test"),
        ("bob", "away.test"),
        ("no-row", "example.org"),
        ("expired", "old.test"),
        ("fresh", "old.test"),
        ("o'hara", "example.org"),
    ):
        row = {"local_part": local_part, "domain": there[name]}
        make(create_mailboxes, [row | {"password": passwords.make_hash(PASSWORD), "quota": 0}])
    for local_part in ("a_b%c", "-a*b?c"):  # as other programs leave them
        adopt(f"{local_part}@example.org", local_part)
    Alias.objects.filter(pk="no-row@example.org").delete()
    aliases = [("*", ["bob@example.org"]), ("off-too", ["bob@example.org"])]
    aliases += [("several", ["bob@example.org", "carol@example.com", "x@far.test"])]
    for local_part, goto in aliases:
        row = {"local_part": local_part, "domain": there["example.org"]}
        make(create_aliases, [row | {"goto": goto}])
    # Postfix refuses names that look like an option, so this one is unused.
    make(set_mailboxes, ["off@example.org", "-a*b?c@example.org"], "active", False)
    make(set_aliases, ["off-too@example.org"], "active", False)
    make(set_domains, ["off.test"], "active", False)
    make(edit_domain, "old.test", {"password_expiry": 30})
    for address, login in PERMISSIONS:
        make(create_sender_permissions, [{"address": address, "mailbox": Mailbox(pk=login)}])
    past = timezone.now() - timezone.timedelta(days=9)
    Mailbox.objects.filter(pk="expired@old.test").update(password_expiry=past)


def adopt(address, local_part):
    """Create a mailbox that the panel would refuse."""
    Mailbox.objects.create(
        username=address,
        local_part=local_part,
        domain_id="example.org",
        maildir=f"example.org/{local_part}/",
        password=passwords.make_hash(PASSWORD),
    )
    Alias.objects.create(address=address, goto=address, domain_id="example.org")


def verify(server, *options):
    """Run the command and return (output, exit status)."""
    out = io.StringIO()
    places = [f"--postfix={server.config}", f"--dovecot={server.folder}/dovecot"]
    if not {"--all", "--domain"} & {word.partition("=")[0] for word in options}:
        options = ("--all", *options)
    try:
        call_command("mailserver", "verify", *places, *options, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


WITH_WILDCARDS = "Dovecot: home, mail and quota of 1 addresses with “*” or “?”"


def differences(server, *options):
    output, status = verify(server, "--json", *options)
    found = json.loads(output)
    assert set(found["not_asked"]) <= {WITH_WILDCARDS}, found
    assert status == (1 if found["differences"] else 0)
    return [(each["key"], each["asked"]) for each in found["differences"]]


@contextlib.contextmanager
def altered(path, old, new):
    """Change the file temporarily; the servers have read it already."""
    before = path.read_text()
    assert old in before, path
    write_aged(path, before.replace(old, new))
    try:
        yield
    finally:
        write_aged(path, before)


def write_aged(path, text):
    """Write a file with an old date: Postfix waits before it reads a new one."""
    path.write_text(text)
    os.utime(path, (0, 0))


def changed_query(server, changed, query, old, new):
    file = server.dovecot.queries_file
    line = server.dovecot.query_lines()[query]
    old = old if connection.vendor == "mysql" else old.replace("NOW()", SQLITE_NOW)
    assert old in line
    changed(f"dovecot/{file.name}", line, line.replace(old, new))


SQLITE_NOW = "datetime('now', 'localtime')"


def reload_dovecot(server):
    """Reload Dovecot and wait; requests meanwhile may get the old configuration."""
    said = len((server.dovecot.folder / "dovecot.log").read_text())
    server.dovecot.tool("reload")
    log = server.dovecot.folder / "dovecot.log"
    server.dovecot.wait_until(lambda: "SIGHUP received" in log.read_text()[said:])
