"""`mailadmin mailserver config`: write the configuration into folders."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes.mailserver.generator import disk
from mailboxes.mailserver.generator.choices import (
    MAX_SALTED_APP_PASSWORDS,
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

help = "Generate the configuration of Postfix and Dovecot."
# option → help; each is a field of MailServerOptions
OPTION_HELP = {
    "hostname": "host name of the mail server, not a domain of the panel",
    "mail-directory": "folder of all mail",
    "mail-user": "system user who owns the mail",
    "mail-group": "group of that user",
    "queue-directory": "queue directory of Postfix",
    "delivery": "how Postfix delivers to Dovecot: lmtp or lda",
    "dovecot-version": "Dovecot version: 2.3 or 2.4",
    "postfix-version": "Postfix version: 3.5 or newer",
    "default-scheme": "scheme of stored passwords without a {SCHEME} prefix",
    "certificate": "TLS certificate with its chain",
    "key": "private key of the certificate",
    "command": "path of the `mailadmin` command",
    "autoreply-user": "system user that sends vacation replies",
    "autoreply-group": "group of that user",
    "database-group": "group that shares an SQLite database, not one of Postfix's own",
    "alias-maps": "alias file of local system users",
}
OPTION_CHOICES = {"delivery": ("lmtp", "lda"), "dovecot-version": ("2.3", "2.4")}


FLAG_HELP = {
    "direct": "let each Postfix process connect to the database itself",
    "cram-md5": "let Dovecot offer CRAM-MD5, for passwords stored as CRAM-MD5 or as plain text",
    "sieve": "let users manage Sieve filters (ManageSieve); needs dovecot-sieve and"
    " dovecot-managesieved",
    "plan": "show what would change without writing anything",
}
# For files that exist and differ.
CONFLICT_FLAG_HELP = {
    "overwrite": "replace existing files that differ",
    "keep": "keep existing main.cf, master.cf and dovecot.conf, and write the other files",
}

Folders = dict[str, Path]  # postfix, dovecot → folder


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--postfix", metavar="DIR", help="folder for Postfix's files")
    parser.add_argument("--dovecot", metavar="DIR", help="folder for Dovecot's files")
    for name, text in OPTION_HELP.items():
        parser.add_argument(f"--{name}", help=text, choices=OPTION_CHOICES.get(name))
    for name, text in FLAG_HELP.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument(
        "--postfixadmin-app-passwords",
        type=int,
        choices=range(MAX_SALTED_APP_PASSWORDS + 1),
        metavar="N",
        help="how many app passwords made in PostfixAdmin a mailbox may have"
        f" (0 to {MAX_SALTED_APP_PASSWORDS}; default: as many as there are)",
    )
    conflict_flags = parser.add_mutually_exclusive_group()
    for name, text in CONFLICT_FLAG_HELP.items():
        conflict_flags.add_argument(f"--{name}", action="store_true", help=text)


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    names = [name for name in ("postfix", "dovecot") if options[name]]
    if not names:
        raise CommandError(_("Give --postfix DIR, --dovecot DIR, or both."), returncode=2)
    folders = {name: Path(options[name]).absolute() for name in names}
    if len(set(folders.values())) < len(folders):
        raise CommandError(_("Postfix and Dovecot need separate folders."), returncode=2)
    try:
        write_configuration(command, options, folders)
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error


def write_configuration(command: BaseCommand, options: dict[str, Any], folders: Folders) -> None:
    choices = build_options(options, folders)
    validate_hostname(choices.hostname)
    if choices.cram_md5 and not can_offer_cram_md5():
        raise CommandError(NO_CRAM_MD5_MESSAGE % {"scheme": settings.MAILADMIN_PASSWORD_SCHEME})
    command.stdout.write(_("Host name of the mail server: %(name)s") % {"name": choices.hostname})
    changes = list(disk.iter_file_changes(generate_files(choices), folders))
    print_changes(command, changes)
    if options["keep"]:
        changes = [
            change for change in changes if not (change.is_different and change.is_user_edited)
        ]
    if not options["plan"]:
        write_changes(command, changes, options["overwrite"] or options["keep"])
    for line in iter_next_steps(choices, folders, options["keep"]):
        command.stdout.write(line)


def build_options(options: dict[str, Any], folders: Folders) -> MailServerOptions:
    """Build the options from the command line, else from this machine."""
    names = {field.name for field in fields(MailServerOptions)}
    given = {name: value for name, value in options.items() if name in names and value is not None}
    validate_options(given)
    values: dict[str, Any] = detect_options() | given
    values |= {f"{name}_directory": str(folder) for name, folder in folders.items()}
    return MailServerOptions(
        **values,
        proxied=not options["direct"],
        passwords=load_passwords(folders),
    )


def validate_options(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if isinstance(value, str) and not is_valid_option(name, value):
            option = "--" + name.replace("_", "-")
            raise CommandError(
                _("“%(value)s” is not a valid value for %(option)s.")
                % {"option": option, "value": value},
                returncode=2,
            )


def load_passwords(folders: Folders) -> dict[str, str]:
    """Return the passwords of an earlier run, or new ones if the file with them is written too."""
    folder = folders.get("postfix", Path("/etc/postfix"))
    known = disk.read_known_passwords(folder)
    if not known and "postfix" not in folders and not DatabaseLocation.from_connection().is_sqlite:
        path = folder / PANEL_FOLDER / "accounts.sql"
        raise CommandError(
            _(
                "%(path)s, which has the passwords of the database accounts, does not"
                " exist. Generate it with --postfix DIR."
            )
            % {"path": path}
        )
    return generate_passwords() | known


def validate_hostname(hostname: str) -> None:
    if not is_valid_option("hostname", hostname):
        raise CommandError(
            _("--hostname must be a fully qualified name such as mail.example.net, not “%(name)s”.")
            % {"name": hostname},
            returncode=2,
        )
    if is_panel_domain(hostname):
        raise CommandError(PANEL_DOMAIN_MESSAGE % {"name": hostname})


def print_changes(command: BaseCommand, changes: list[disk.FileChange]) -> None:
    for change in changes:
        if change.is_new:
            command.stdout.write(_("new: %(path)s") % {"path": change.path})
        elif change.is_different:
            command.stdout.write(change.difference())
        elif change.is_too_permissive:
            command.stdout.write(_("readable by others: %(path)s") % {"path": change.path})


def write_changes(command: BaseCommand, changes: list[disk.FileChange], overwrite: bool) -> None:
    """Write all files or none: half a configuration is worse than the old one."""
    if not overwrite and (
        differing := [str(change.path) for change in changes if change.is_different]
    ):
        raise CommandError(
            _(
                "Nothing was written, because these files differ: %(paths)s. Use"
                " --overwrite to replace them, or --keep to keep yours and write the"
                " others, including mailadmin/postconf.sh."
            )
            % {"paths": ", ".join(differing)}
        )
    needed = [
        change
        for change in changes
        if change.is_new or change.is_different or change.is_too_permissive
    ]
    for change in needed:
        disk.write_change(change)
    text = ngettext("%(number)d file written.", "%(number)d files written.", len(needed))
    command.stdout.write(text % {"number": len(needed)})
