"""`access-matrix`: write who may open which URL, after a page or a role has changed."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailadmin.access_matrix import write_access_matrix


class Command(BaseCommand):
    help = "Write the table of who may open which URL into a page of the documentation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="docs/security.md")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            write_access_matrix(options["file"])
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(options["file"]))
