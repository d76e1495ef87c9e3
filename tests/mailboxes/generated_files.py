"""Generated files, and mail servers that run them."""

import io
import re
import subprocess
import sys

from django.core.management import call_command

from mailadmin.conf import BASE_DIR
from tests import mailservers, postfix_server
from tests.base import PASSWORD
from tests.legacy_databases import environment

NAME = "mail.test"


MAPS = {
    "virtual_mailbox_domains",
    "relay_domains",
    "virtual_alias",
    "virtual_alias_mailbox",
    "virtual_alias_mirror",
    "virtual_alias_mirror_mailbox",
    "virtual_mailbox",
    "relay_recipients",
    "refused_recipients",
    "refused_recipients_mirror",
    "transport_pattern",
    "transport",
    "sender_login",
}


DOVECOT = {
    "2.3": {"dovecot.conf", "dovecot-sql.conf.ext", "dovecot-dict-sql.conf.ext"},
    "2.4": {"dovecot.conf", "mailadmin-sql.conf.ext"},
}


def config(folders, *options, hostname=NAME):
    """Run the command and return its output."""
    out = io.StringIO()
    places = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
    call_command("mailserver", "config", f"--hostname={hostname}", *places, *options, stdout=out)
    return out.getvalue()


def written(folders):
    """Return every file below the folders, by its relative name."""
    found = (path for folder in folders.values() for path in folder.rglob("*") if path.is_file())
    return {"/".join(path.parts[len(folders["postfix"].parent.parts) :]): path for path in found}


def texts(folders):
    return {name: path.read_bytes() for name, path in written(folders).items()}


def secrets_in(folders):
    """Return the passwords in the files."""
    text = (folders["postfix"] / "mailadmin/accounts.sql").read_text()
    return set(re.findall(r"IDENTIFIED BY '(\w+)'", text))


MAKE = """
import django; django.setup()
from domains.models import Domain
from mailboxes.services.domains import create_domains
from mailadmin import passwords
from mailadmin.changes.perform import Actor, perform
from mailboxes.services.mailboxes import create_mailboxes
perform(Actor.console(), create_domains, [{"domain": "example.org", "default_aliases": False}])
row = {"local_part": "bob", "domain": Domain.objects.get(pk="example.org")}
stored = passwords.make_hash("correct-horse-42", "bob@example.org", "SHA512-CRYPT")
perform(Actor.console(), create_mailboxes, [row | {"password": stored, "quota": 10}])
"""


def panel(url, *arguments, **environ):
    """Run the panel's Python on the database at this URL and return its output."""
    env = environment(MAILADMIN_DATABASE_URL=url, **environ)
    result = subprocess.run(
        [sys.executable, *arguments], env=env, cwd=BASE_DIR, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout


def by_command(url, said=None, **environ):
    """Write the files with `mailadmin mailserver config` for another database."""

    def write(server):
        mailservers.store_passwords(server.config)
        options = [f"--{name}={text}" for name, text in server.options().items()]
        text = panel(url, "manage.py", "mailserver", "config", "--overwrite", *options, **environ)
        if said is not None:
            said.append(text)

    return write


def receive(server, address):
    with server.smtp() as client:
        client.ehlo()
        client.mail("")
        assert client.rcpt(address)[0] == 250
        _code, said = client.data("Subject: Lunch?\n\nAre you there?\n")
    return server.log_of(postfix_server.queue_id(said))


def has_messages(server, address, count):
    """Return whether a user signs in and has this many messages."""
    with server.dovecot.imap() as imap:
        imap.login(address, PASSWORD)
        return imap.select() == ("OK", [str(count).encode()])
