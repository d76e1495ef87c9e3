"""A simulated mail server: it runs the autoresponder, and its `sendmail` keeps the answers."""

import argparse
import contextlib
import datetime
import email
import email.policy
import io
import os
import subprocess
import sys
import zoneinfo
from pathlib import Path

from django.db import connection

from mailadmin.conf import BASE_DIR
from mailboxes.mailserver import autoresponder
from mailboxes.models import Alias, VacationNotification
from mailboxes.models import Vacation as Row

BOB = "bob#example.org@autoreply.localhost"
FRIEND = "friend@example.net"
ZONE = zoneinfo.ZoneInfo("Europe/Berlin")
SCHEMA = Path(__file__).parents[2] / "schema" / "postfixadmin-1856.sql"
SENDMAIL = """#!/bin/sh
cat > "{folder}/$$.part"
[ ! -e "{folder}/busy" ] || {{ echo "the queue is full" >&2; exit 75; }}
printf '%s\\n' "$@" > "{folder}/$$.arguments"
mv "{folder}/$$.part" "{folder}/$$.mail"
[ ! -e "{folder}/killer" ] || kill -9 $PPID
"""


def build_mail(**fields):
    """Return a mail from friend to bob with additional fields; `None` omits a field."""
    usual = {"From": f"Friend <{FRIEND}>", "To": "bob@example.org", "Subject": "Lunch?"}
    usual["Message_ID"] = "<1@example.net>"
    lines = [
        f"{name.replace('_', '-')}: {value}\n"
        for name, value in (usual | fields).items()
        if value is not None
    ]
    return "".join(lines).encode() + b"\nAre you there?\n"


class Post:
    """A simulated mail server: it passes mail to the autoresponder and accepts its answers."""

    def __init__(self, folder, settings):
        self.folder, self.settings = folder, settings
        self.sendmail = folder / "sendmail"
        self.sendmail.write_text(SENDMAIL.format(folder=folder))
        self.sendmail.chmod(0o755)
        self.log = io.StringIO()

    def options(self, sender=FRIEND, recipient=BOB, original=()):
        return argparse.Namespace(
            sender=sender,
            recipient=[recipient] if isinstance(recipient, str) else recipient,
            original_recipient=[original] if isinstance(original, str) else list(original),
            sendmail=str(self.sendmail),
        )

    def deliver(self, mail=None, **envelope):
        """Return the exit status of the autoresponder for this mail."""
        stream = io.BytesIO(build_mail() if mail is None else mail)
        return autoresponder.respond_to_message(self.options(**envelope), self.settings, stream)

    def answers(self):
        """Return the mails passed to sendmail, parsed."""
        found = sorted(self.folder.glob("*.mail"), key=lambda path: path.stat().st_mtime_ns)
        return [
            email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            for path in found
        ]

    def envelopes(self):
        return [path.read_text().splitlines() for path in self.folder.glob("*.arguments")]

    @contextlib.contextmanager
    def with_sendmail(self, state):
        """Use another sendmail: `busy` refuses; `killer` accepts and kills the autoresponder."""
        (self.folder / state).touch()
        yield
        (self.folder / state).unlink()

    def program(self):
        return [sys.executable, str(BASE_DIR / "manage.py"), "autoreply"]

    def command(self, *more, sender=FRIEND, recipient=BOB):
        envelope = (f"--sender={sender}", f"--recipient={recipient}")
        place = (f"--sendmail={self.sendmail}", "--log-to-stderr")
        return [*self.program(), *envelope, *place, *more]

    def run_command(self, *more, mail=None, environ=None, **envelope):
        """Run the command in its own process."""
        return subprocess.run(
            self.command(*more, **envelope),
            input=build_mail() if mail is None else mail,
            capture_output=True,
            env=environ or os.environ | {"MAILADMIN_DATABASE_URL": database_url()},
            cwd="/",
        )


def database_url():
    entry = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{entry['NAME']}"
    return os.environ["TEST_DATABASE_URL"].rpartition("/")[0] + f"/{entry['NAME']}"


def environ(**more):
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAILADMIN_")}
    zone = {"MAILADMIN_TIME_ZONE": "Europe/Berlin", "MAILADMIN_ENV_FILE": "/dev/null"}
    return own | zone | {"MAILADMIN_DATABASE_URL": database_url()} | more


def at(**ago):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ago)


def vacation(**values):
    Row.objects.filter(pk="bob@example.org").update(**values)


def notes():
    """Return the stored notifications: sender → date."""
    table, key = VacationNotification._meta.db_table, "bob@example.org"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT notified, notified_at FROM {table} WHERE on_vacation = %s", [key])
        return {sender: str(moment) for sender, moment in cursor.fetchall()}


def store_notification(sender=FRIEND, **ago):
    VacationNotification.objects.create(
        vacation_id="bob@example.org", notified=sender, notified_at=at(**ago)
    )


def alias(address, *targets, **values):
    domain = address.partition("@")[2]
    Alias.objects.create(address=address, goto=",".join(targets), domain_id=domain, **values)


ROWS = """
INSERT INTO domain (domain, description, transport) VALUES ('example.org', '', 'virtual');
INSERT INTO mailbox (username, password, name, maildir, local_part, domain)
    VALUES ('bob@example.org', 'x', 'Bob', 'x', 'bob', 'example.org');
INSERT INTO alias (address, goto, domain)
    VALUES ('info@example.org', 'bob@example.org', 'example.org');
INSERT INTO vacation (email, subject, body, cache, domain, interval_time)
    VALUES ('bob@example.org', 'Отпуск', 'Я на море.', '', 'example.org', 86400);
INSERT INTO vacation_notification
    VALUES ('bob@example.org', 'old@example.net', '2020-05-05 05:05:05');
"""
