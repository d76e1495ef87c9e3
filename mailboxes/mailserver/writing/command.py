"""`mailadmin mailserver config`: the configuration, written into folders."""

from dataclasses import fields

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from domains.models import Domain
from mailboxes.mailserver.writing import disk
from mailboxes.mailserver.writing.choices import Choices, guessed, new_passwords
from mailboxes.mailserver.writing.database import Database
from mailboxes.mailserver.writing.files import files_of

help = "Write the configuration of Postfix and Dovecot."
# option → what it says; each is a choice by the same name
OPTIONS = {
    "hostname": "the mail server's own name, which is none of the panel's domains",
    "mail-directory": "where the mail lies",
    "mail-user": "the system user who owns the mail",
    "mail-group": "his group",
    "queue-directory": "Postfix's queue",
    "delivery": "how Dovecot gets mail: lmtp or lda",
    "dovecot-version": "2.3 or 2.4",
    "postfix-version": "3.5 or newer",
    "default-scheme": "for stored passwords that do not say theirs",
    "certificate": "the TLS certificate with its chain",
    "key": "the certificate's key",
    "command": "where `mailadmin` is",
    "autoreply-user": "the system user who answers for people who are away",
    "autoreply-group": "the group of that user",
    "alias-maps": "aliases of the machine's own users",
}
CHOICES = {"delivery": ("lmtp", "lda"), "dovecot-version": ("2.3", "2.4")}


def add_arguments(parser):
    parser.add_argument("--postfix", metavar="DIR", help="the folder for Postfix's files")
    parser.add_argument("--dovecot", metavar="DIR", help="the folder for Dovecot's files")
    for name, text in OPTIONS.items():
        parser.add_argument(f"--{name}", help=text, choices=CHOICES.get(name))
    parser.add_argument(
        "--direct",
        action="store_true",
        help="let each process of Postfix connect to the database itself",
    )
    parser.add_argument("--plan", action="store_true", help="show what would change, write nothing")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that are there and differ"
    )


def run(command, options):
    folders = {name: options[name] for name in ("postfix", "dovecot") if options[name]}
    if not folders:
        raise CommandError(_("Say where: --postfix DIR, --dovecot DIR, or both."), returncode=2)
    choices = chosen(options, folders)
    refuse_own_domain(choices.hostname)
    found = list(disk.changes(files_of(choices), folders))
    show(command, found)
    if not options["plan"]:
        store(command, found, options["overwrite"])
        tell_what_is_left(command, choices)


def chosen(options, folders):
    """What was said, else what this machine says."""
    names = {field.name for field in fields(Choices)}
    said = {name: value for name, value in options.items() if name in names and value is not None}
    places = {f"{name}_directory": str(folder) for name, folder in folders.items()}
    passwords = new_passwords() | disk.known_passwords(folders.get("postfix", "/etc/postfix"))
    return Choices(**guessed() | said | places, proxied=not options["direct"], passwords=passwords)


def refuse_own_domain(hostname):
    """Mail for root and cron would be looked for among the mailboxes."""
    if Domain.objects.filter(pk=hostname.lower()).exists():
        raise CommandError(
            _("%(name)s is a domain of the panel; the mail server needs a name of its own.")
            % {"name": hostname}
        )


def show(command, found):
    for change in found:
        if change.is_new:
            command.stdout.write(_("new: %(path)s") % {"path": change.path})
        elif change.is_other:
            command.stdout.write(change.difference())
        elif change.is_too_open:
            command.stdout.write(_("readable by others: %(path)s") % {"path": change.path})


def store(command, found, overwrite):
    """Everything or nothing: half a configuration is worse than the old one."""
    if not overwrite and (kept := [str(change.path) for change in found if change.is_other]):
        raise CommandError(
            _("Nothing was written, since these differ (--overwrite replaces them): %(paths)s")
            % {"paths": ", ".join(kept)}
        )
    wanted = [change for change in found if change.is_new or change.is_other or change.is_too_open]
    for change in wanted:
        disk.write(change)
    command.stdout.write(_("%(number)d files written.") % {"number": len(wanted)})


def tell_what_is_left(command, choices):
    for line in steps(choices):
        command.stdout.write(line)


def steps(choices):
    """What root does once, in the order in which it is done."""
    database = Database.of_the_panel()
    yield _("What is left to do, as root:")
    yield (
        f"  adduser --system --group --home {choices.mail_directory} --no-create-home"
        f" {choices.mail_user}"
    )
    yield (
        f"  install -d -o {choices.mail_user} -g {choices.mail_group} -m 2770"
        f" {choices.mail_directory}"
    )
    if database.is_sqlite:
        yield from shared_file(database.name)
    else:
        yield f"  mariadb < {choices.postfix_directory}/mailadmin/accounts.sql"
    yield "  postfix check && postfix reload"
    yield "  doveconf -n >/dev/null && systemctl restart dovecot"


def shared_file(path):
    """SQLite's file and its companions are written by whoever asks, hence the group."""
    folder = path.rpartition("/")[0]
    yield "  addgroup --system mailadmin"
    yield "  for user in postfix dovecot; do adduser $user mailadmin; done"
    yield f"  chgrp -R mailadmin {folder} && chmod 2770 {folder} && chmod 0660 {path}*"
