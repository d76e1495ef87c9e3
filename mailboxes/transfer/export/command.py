"""The command: where the files go, and what of the database they do not hold."""

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from mailadmin.console import make_printable, report_database_errors
from mailadmin.names import try_normalize_domain
from mailboxes.mailserver.generator.choices import (
    MailServerOptions,
    detect_dovecot_version,
    is_valid_option,
)
from mailboxes.transfer.entries import Losses
from mailboxes.transfer.export import FORMATS, csvfiles, disk, hashfiles, jsonfiles, passwdfile
from mailboxes.transfer.export.rows import find_domain_name
from mailboxes.transfer.export.snapshot import snapshot
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE


class Command(BaseCommand):
    help = "Write everything into files: JSON, CSV, or maps for a Postfix without a database."

    def add_arguments(self, parser):
        parser.add_argument("--to", dest="format", choices=FORMATS, required=True)
        parser.add_argument("--domain", help="this domain alone, and what is in it")
        parser.add_argument("--output", metavar="PATH", help="a file; for several files a folder")
        parser.add_argument("--table", choices=ROW_TYPES_BY_TABLE, help="CSV: this table alone")
        parser.add_argument(
            "--passwords", action="store_true", help="CSV: with hashes, keys and other secrets"
        )
        parser.add_argument(
            "--mail-directory",
            default=MailServerOptions.mail_directory,
            help="hashfiles: where the mail lies (default: %(default)s)",
        )
        parser.add_argument(
            "--dovecot-version",
            choices=passwdfile.DOVECOT_CONF,
            help="hashfiles: which Dovecot reads the passwd-file (default: that of this machine)",
        )

    def handle(self, *args, **options):
        self.options, self.losses = options, Losses()
        self.check_options()
        with report_database_errors():
            try:
                self.write(self.domain())
            except ValidationError as error:
                raise CommandError(make_printable(" ".join(error.messages))) from error
            except OSError as error:
                raise CommandError(f"{error.filename or ''}: {error.strerror}") from error
        self.tell()

    def check_options(self):
        options = self.options
        name, kind = options["format"], ROW_TYPES_BY_TABLE.get(options["table"])
        if name != "csv" and (kind or options["passwords"]):
            self.refuse(_("--table and --passwords are for CSV."))
        if name != "json" and not kind and not options["output"]:
            self.refuse(_("Say --output with the folder for the files."))
        if kind and not options["passwords"] and csvfiles.requires_secrets(kind):
            self.refuse(_("This table is nothing without its secrets: say --passwords."))
        if not is_valid_option("mail_directory", options["mail_directory"]):
            self.refuse(_("--mail-directory has to be a path."))

    def refuse(self, text):
        raise CommandError(text, returncode=2)

    def domain(self):
        if not (given := self.options["domain"]):
            return ""
        if found := find_domain_name(try_normalize_domain(given)):
            return found
        raise CommandError(make_printable(_("There is no domain %(name)s.") % {"name": given}))

    # Writing

    def write(self, domain):
        options = self.options
        with snapshot():
            if options["format"] == "json":
                self.write_single_file(jsonfiles.iter_json(self.losses, domain))
            elif kind := ROW_TYPES_BY_TABLE.get(options["table"]):
                secrets = options["passwords"]
                self.write_single_file(csvfiles.iter_csv_lines(kind, self.losses, domain, secrets))
            else:
                disk.write_folder(options["output"], self.files(domain))

    def files(self, domain):
        if self.options["format"] == "csv":
            return csvfiles.iter_csv_files(self.losses, domain, self.options["passwords"])
        version = self.options["dovecot_version"] or detect_dovecot_version()
        return hashfiles.iter_map_files(
            self.losses, domain, self.options["mail_directory"], version
        )

    def write_single_file(self, pieces):
        if path := self.options["output"]:
            return disk.write_file(path, pieces)
        for piece in pieces:
            self.stdout.write(piece, ending="")
        return None

    def tell(self):
        """What stays behind is no secret; it goes where it does not get into the files."""
        for note in self.losses:
            places = ", ".join(note.places) + (" …" if note.count > len(note.places) else "")
            self.stderr.write(make_printable(f"{note.count} × {note.text} ({places})"))
