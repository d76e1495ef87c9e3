"""The export command."""

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.console import make_printable
from mailadmin.db.snapshot import snapshot
from mailadmin.names import try_normalize_domain
from mailboxes.mailserver.generator.choices import (
    MailServerOptions,
    detect_dovecot_version,
    is_valid_option,
)
from mailboxes.transfer.console import report_errors
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import FORMATS, csvfiles, disk, hashfiles, jsonfiles, passwdfile
from mailboxes.transfer.export.rows import find_domain_name
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE


class Command(BaseCommand):
    help = "Export everything to files: JSON, CSV, or maps for a Postfix without a database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", dest="format", choices=FORMATS, required=True)
        parser.add_argument("--domain", help="only this domain and its rows")
        parser.add_argument(
            "--output", metavar="PATH", help="file to write; if there are several files, a folder"
        )
        parser.add_argument("--table", choices=ROW_TYPES_BY_TABLE, help="CSV: only this table")
        parser.add_argument(
            "--passwords",
            action="store_true",
            help="CSV: include password hashes, keys and other secrets",
        )
        parser.add_argument(
            "--mail-directory",
            default=MailServerOptions.mail_directory,
            help="hashfiles: mail directory (default: %(default)s)",
        )
        parser.add_argument(
            "--dovecot-version",
            choices=passwdfile.DOVECOT_CONF,
            help="hashfiles: Dovecot version for the passwd-file (default: the installed version)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.options, self.losses = options, Losses()
        self.check_options()
        with report_errors():
            try:
                self.write_export(self.get_domain())
            except OSError as error:
                raise CommandError(f"{error.filename or ''}: {error.strerror}") from error
        self.print_losses()

    def check_options(self) -> None:
        options = self.options
        format_name, row_type = options["format"], ROW_TYPES_BY_TABLE.get(options["table"])
        if format_name != "csv" and (row_type or options["passwords"]):
            self.fail_usage(_("--table and --passwords work only with CSV."))
        if format_name != "json" and not row_type and not options["output"]:
            self.fail_usage(_("Several files are written: give --output with a folder."))
        if row_type and not options["passwords"] and csvfiles.requires_secrets(row_type):
            self.fail_usage(_("This table contains only secrets: add --passwords."))
        if not is_valid_option("mail_directory", options["mail_directory"]):
            self.fail_usage(_("--mail-directory must be a path."))

    def fail_usage(self, text: str) -> NoReturn:
        raise CommandError(text, returncode=2)

    def get_domain(self) -> str:
        if not (requested := self.options["domain"]):
            return ""
        if name := find_domain_name(try_normalize_domain(requested)):
            return name
        raise CommandError(make_printable(_("There is no domain %(name)s.") % {"name": requested}))

    # Writing

    def write_export(self, domain: str) -> None:
        options = self.options
        with snapshot():
            if options["format"] == "json":
                self.write_single_file(jsonfiles.iter_json(self.losses, domain))
            elif row_type := ROW_TYPES_BY_TABLE.get(options["table"]):
                with_secrets = options["passwords"]
                self.write_single_file(
                    csvfiles.iter_csv_lines(row_type, self.losses, domain, with_secrets)
                )
            else:
                disk.write_folder(options["output"], self.iter_files(domain))

    def iter_files(self, domain: str) -> Iterator[tuple[str, Iterable[str]]]:
        if self.options["format"] == "csv":
            return csvfiles.iter_csv_files(self.losses, domain, self.options["passwords"])
        version = self.options["dovecot_version"] or detect_dovecot_version()
        return hashfiles.iter_map_files(
            self.losses, domain, self.options["mail_directory"], version
        )

    def write_single_file(self, pieces: Iterable[str]) -> None:
        if path := self.options["output"]:
            disk.write_file(path, pieces)
            return
        for piece in pieces:
            self.stdout.write(piece, ending="")

    def print_losses(self) -> None:
        """Print what is not in the files to standard error, so that it cannot end up in them."""
        for note in self.losses:
            places = ", ".join(note.places) + (" …" if note.count > len(note.places) else "")
            self.stderr.write(make_printable(f"{note.count} × {note.text} ({places})"))
