"""`mailadmin mailserver config`: the configuration, written into folders."""

import re
import stat
from dataclasses import fields
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from domains.models import Domain
from mailboxes.mailserver.writing import disk
from mailboxes.mailserver.writing.choices import Choices, guessed, new_passwords
from mailboxes.mailserver.writing.database import Database
from mailboxes.mailserver.writing.files import OWN, files_of

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
    "database-group": "the group that shares an SQLite database, none of Postfix's own",
    "alias-maps": "aliases of the machine's own users",
}
PATH, WORD = r"/[\w./@+-]*", r"[A-Za-z0-9._-]+"
TABLE = r"(\w+:[\w./@+-]+(,\s*)?)*"
# What each choice may be: nothing that means more than itself in a file.
SHAPES = {
    "hostname": r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*",
    "mail_directory": PATH,
    "queue_directory": PATH,
    "certificate": PATH,
    "key": PATH,
    "command": PATH,
    "mail_user": WORD,
    "mail_group": WORD,
    "autoreply_user": WORD,
    "autoreply_group": WORD,
    "database_group": WORD,
    "default_scheme": WORD,
    "postfix_version": WORD,
    "dovecot_version": WORD,
    "delivery": WORD,
    "alias_maps": TABLE,
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
    folders = {name: Path(folder).absolute() for name, folder in folders.items()}
    try:
        configure(command, options, folders)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def configure(command, options, folders):
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
    refuse_unfit(said)
    places = {f"{name}_directory": str(folder) for name, folder in folders.items()}
    return Choices(
        **guessed() | said | places, proxied=not options["direct"], passwords=passwords(folders)
    )


def refuse_unfit(said):
    """What would end a line of a file, or mean something else in one."""
    for name, value in said.items():
        if not re.fullmatch(SHAPES[name], value):
            option = "--" + name.replace("_", "-")
            raise CommandError(
                _("%(option)s cannot be “%(value)s”.") % {"option": option, "value": value},
                returncode=2,
            )


def passwords(folders):
    """Those of an earlier run; new ones only where the file that gives them is written as well."""
    place = folders.get("postfix", Path("/etc/postfix"))
    known = disk.known_passwords(place)
    if not known and "postfix" not in folders and not Database.of_the_panel().is_sqlite:
        path = place / OWN / "accounts.sql"
        raise CommandError(
            _("There is no %(path)s with the accounts’ passwords; --postfix DIR writes it.")
            % {"path": path}
        )
    return new_passwords() | known


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
        yield from shared_file(Path(database.name), choices)
    else:
        yield f"  mariadb < {choices.postfix_directory}/mailadmin/accounts.sql"
    if database.is_encrypted:
        yield _(
            "The panel’s connection to the database is encrypted, and these files do not say so:"
            " add tls_CAfile (Postfix), ssl_ca (Dovecot), ?ssl_ca=… (autoreply.env)."
        )
    yield "  postfix check && postfix reload"
    yield "  doveconf -n >/dev/null && systemctl restart dovecot"


def shared_file(path, choices):
    """SQLite's file and its companions are written by whoever asks, hence the group."""
    group, folder = choices.database_group, path.parent
    yield f"  addgroup --system {group}"
    yield f"  for user in postfix {owner(path)}; do adduser $user {group}; done"
    yield f"  chgrp {group} {folder} {path}*"
    yield f"  chmod 2770 {folder}"
    if folder.is_relative_to("/var/lib"):
        yield _("  (as a service of systemd’s the panel needs StateDirectoryMode=2770 as well)")
    yield f"  chmod 0660 {path}*"
    if (settings := Path(choices.postfix_directory, OWN, "autoreply.env")).exists():
        yield f"  chgrp {group} {settings}"
    for closed in closed_above(folder):
        yield _("Others cannot enter %(folder)s; the database has to lie somewhere else.") % {
            "folder": closed
        }


def owner(path):
    """Whose file it is: the panel's."""
    try:
        return path.owner()
    except KeyError:
        return path.stat().st_uid


def closed_above(folder):
    return [parent for parent in folder.parents if not parent.stat().st_mode & stat.S_IXOTH]
