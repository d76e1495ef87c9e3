"""`mailadmin mailserver config`: the configuration, written into folders."""

from dataclasses import fields
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import (
    NO_CRAM_MD5_MESSAGE,
    PANEL_DOMAIN_MESSAGE,
    MailServerOptions,
    can_offer_cram_md5,
    detect_options,
    generate_passwords,
    is_panel_domain,
    is_valid_option,
)
from mailboxes.mailserver.generator.database import DatabaseLocation
from mailboxes.mailserver.generator.files import PANEL_FOLDER, generate_files
from mailboxes.mailserver.generator.steps import iter_next_steps

help = "Write the configuration of Postfix and Dovecot."
# option → what it says; each is a choice by the same name
OPTION_HELP = {
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
OPTION_CHOICES = {"delivery": ("lmtp", "lda"), "dovecot-version": ("2.3", "2.4")}


def add_arguments(parser):
    parser.add_argument("--postfix", metavar="DIR", help="the folder for Postfix's files")
    parser.add_argument("--dovecot", metavar="DIR", help="the folder for Dovecot's files")
    for name, text in OPTION_HELP.items():
        parser.add_argument(f"--{name}", help=text, choices=OPTION_CHOICES.get(name))
    parser.add_argument(
        "--direct",
        action="store_true",
        help="let each process of Postfix connect to the database itself",
    )
    parser.add_argument(
        "--cram-md5",
        action="store_true",
        help="let Dovecot offer CRAM-MD5, for passwords stored as CRAM-MD5 or as plain text",
    )
    parser.add_argument(
        "--sieve",
        action="store_true",
        help="let users manage Sieve filters (ManageSieve); needs dovecot-sieve and"
        " dovecot-managesieved",
    )
    parser.add_argument("--plan", action="store_true", help="show what would change, write nothing")
    differing = parser.add_mutually_exclusive_group()
    differing.add_argument(
        "--overwrite", action="store_true", help="replace files that are there and differ"
    )
    differing.add_argument(
        "--keep",
        action="store_true",
        help="leave main.cf, master.cf and dovecot.conf as they are, and write the others",
    )


def run(command, options):
    folders = {name: options[name] for name in ("postfix", "dovecot") if options[name]}
    if not folders:
        raise CommandError(_("Say where: --postfix DIR, --dovecot DIR, or both."), returncode=2)
    folders = {name: Path(folder).absolute() for name, folder in folders.items()}
    if len(set(folders.values())) < len(folders):
        raise CommandError(_("Postfix and Dovecot need a folder each."), returncode=2)
    try:
        write_configuration(command, options, folders)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def write_configuration(command, options, folders):
    choices = build_options(options, folders)
    validate_hostname(choices.hostname)
    if choices.cram_md5 and not can_offer_cram_md5():
        raise CommandError(NO_CRAM_MD5_MESSAGE % {"scheme": settings.MAILADMIN_PASSWORD_SCHEME})
    command.stdout.write(_("The mail server is called %(name)s.") % {"name": choices.hostname})
    found = list(disk.iter_file_changes(generate_files(choices), folders))
    print_changes(command, found)
    if options["keep"]:
        found = [change for change in found if not (change.is_different and change.is_user_edited)]
    if not options["plan"]:
        write_changes(command, found, options["overwrite"] or options["keep"])
    for line in iter_next_steps(choices, folders, options["keep"]):
        command.stdout.write(line)


def build_options(options, folders):
    """What was said, else what this machine says."""
    names = {field.name for field in fields(MailServerOptions)}
    said = {name: value for name, value in options.items() if name in names and value is not None}
    validate_options(said)
    places = {f"{name}_directory": str(folder) for name, folder in folders.items()}
    return MailServerOptions(
        **detect_options() | said | places,
        proxied=not options["direct"],
        passwords=load_passwords(folders),
    )


def validate_options(said):
    for name, value in said.items():
        if isinstance(value, str) and not is_valid_option(name, value):
            option = "--" + name.replace("_", "-")
            raise CommandError(
                _("%(option)s cannot be “%(value)s”.") % {"option": option, "value": value},
                returncode=2,
            )


def load_passwords(folders):
    """Those of an earlier run; new ones only where the file that gives them is written as well."""
    place = folders.get("postfix", Path("/etc/postfix"))
    known = disk.read_known_passwords(place)
    if not known and "postfix" not in folders and not DatabaseLocation.from_connection().is_sqlite:
        path = place / PANEL_FOLDER / "accounts.sql"
        raise CommandError(
            _("There is no %(path)s with the accounts’ passwords; --postfix DIR writes it.")
            % {"path": path}
        )
    return generate_passwords() | known


def validate_hostname(hostname):
    if not is_valid_option("hostname", hostname):
        raise CommandError(
            _("--hostname: a full name such as mail.example.net is needed, not “%(name)s”.")
            % {"name": hostname},
            returncode=2,
        )
    if is_panel_domain(hostname):
        raise CommandError(PANEL_DOMAIN_MESSAGE % {"name": hostname})


def print_changes(command, found):
    for change in found:
        if change.is_new:
            command.stdout.write(_("new: %(path)s") % {"path": change.path})
        elif change.is_different:
            command.stdout.write(change.difference())
        elif change.is_too_permissive:
            command.stdout.write(_("readable by others: %(path)s") % {"path": change.path})


def write_changes(command, found, overwrite):
    """Everything or nothing: half a configuration is worse than the old one."""
    if not overwrite and (kept := [str(change.path) for change in found if change.is_different]):
        raise CommandError(
            _(
                "Nothing was written, since these differ: %(paths)s. --overwrite replaces them; "
                "--keep leaves yours and writes the others, mailadmin/postconf.sh among them."
            )
            % {"paths": ", ".join(kept)}
        )
    wanted = [
        change
        for change in found
        if change.is_new or change.is_different or change.is_too_permissive
    ]
    for change in wanted:
        disk.write_change(change)
    text = ngettext("%(number)d file written.", "%(number)d files written.", len(wanted))
    command.stdout.write(text % {"number": len(wanted)})
