"""`restore FILE`"""

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.backup.restoration import restore_backup
from mailadmin.console import make_printable, report_database_errors


class Command(BaseCommand):
    help = "Restore a backup into an empty database, which `migrate` has prepared."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file that `backup` has written")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with Path(options["file"]).open("rb") as file, report_database_errors():
                restored = restore_backup(file)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except ValidationError as error:
            raise CommandError(make_printable("\n".join(error.messages))) from error
        text = _("Restored %(rows)s rows of %(tables)s tables.")
        self.stdout.write(text % restored._asdict())
