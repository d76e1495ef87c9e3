"""A storage of mail in a temporary folder, as a mail server leaves it, and time that passes."""

import datetime
import io
import os
import tarfile
from pathlib import Path

from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from mailboxes.models import LeftoverMaildir, Mailbox
from mailboxes.services.mailboxes import delete_mailboxes
from tests.mailboxes.delivery.sending import create_mailboxes_of, mailbox, perform_service

BOB, DORA, EVE = "bob@example.org", "dora@example.org", "eve@gone.example"
LONG_AGO = datetime.timedelta(days=400)
DUE_COLUMNS = ("first_seen", "last_mail", "last_change", "archive_due", "archived", "purge_due")


class MailStorage:
    """The folders of mail and of archives; `run` is the command."""

    def __init__(self, folder, settings):
        self.root, self.archives = folder / "vmail", folder / "archives"
        self.root.mkdir(mode=0o700)
        self.archives.mkdir(mode=0o700)
        settings.MAILADMIN_MAILDIRS_ROOT = self.root
        settings.MAILADMIN_MAILDIRS_ARCHIVE = self.archives

    def maildir(self, address, count=3, path=None):
        """Create the maildir of an address with messages that came long ago."""
        local_part, _at, domain = address.partition("@")
        folder = self.root / (path or f"{domain}/{local_part}")
        for name in ("cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".Sent/tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            place = ("cur", "new", ".Sent/cur")[number % 3]
            self.message(
                folder, f"{place}/17000000{number:02}.M1P1.mail,S=9:2,S", f"mail {number}\n"
            )
        self.message(folder, "dovecot-uidlist", "3 V1 N4\n")
        (folder / ".dovecot.sieve").symlink_to("sieve/missing.sieve")
        self.age(folder)
        return folder

    def message(self, folder, name, text, age=LONG_AGO):
        (folder / name).write_text(text)
        self.age(folder / name, age)

    def age(self, path, age=LONG_AGO):
        """Let a file, or all that is in a folder, be of that time."""
        moment = (timezone.now() - age).timestamp()
        for each in (path, *path.rglob("*")):
            os.utime(each, (moment, moment), follow_symlinks=False)

    def run(self, verb="run", *arguments, **options):
        """Run the command as root, as the tests do; return what it has printed."""
        output = io.StringIO()
        options = {"allow_root": True} | options
        call_command("maildirs", verb, *arguments, stdout=output, **options)
        return output.getvalue()

    def archive_files(self):
        return sorted(path.name for path in self.archives.iterdir() if path.name != ".lock")


def wait_days(days):
    """Make what the database and the archives know older."""
    past = datetime.timedelta(days=days)
    LeftoverMaildir.objects.update(**{name: F(name) - past for name in DUE_COLUMNS})


def age_archives(storage, days):
    for name in storage.archive_files():
        file = storage.archives / name
        moment = file.stat().st_mtime - days * 86400
        os.utime(file, (moment, moment))


def pass_days(storage, days):
    wait_days(days)
    age_archives(storage, days)


def read_tree(folder):
    """Return path → contents of all that is in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def read_archive(file):
    """Return the same of an archive."""
    found = {}
    with tarfile.open(file, encoding="utf-8", errors="surrogateescape") as tar:
        for member in tar:
            name = os.fsencode(member.name)
            content = tar.extractfile(member).read() if member.isreg() else None
            if name != b".":
                found[name] = member.linkname if member.issym() else content
    return found


def create_world():
    """Create bob, who stays, dora, who is deleted, and a domain that is not in the database."""
    create_mailboxes_of(BOB, DORA)
    perform_service(delete_mailboxes, [DORA])
    assert list(Mailbox.objects.values_list("pk", flat=True)) == [BOB]


def create_dora_again():
    mailbox(DORA)


def rows():
    return {row.path: row for row in LeftoverMaildir.objects.all()}


def states():
    return {row.path: row.state for row in LeftoverMaildir.objects.all()}


def exists(path):
    return Path(path).exists()
