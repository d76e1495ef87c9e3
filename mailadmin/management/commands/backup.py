"""`backup FILE [--without-secrets]`"""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from mailadmin.backup.creation import iter_backup
from mailadmin.console import report_database_errors


class Command(BaseCommand):
    help = "Write all tables to a file, as they are at one moment."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a new file, such as panel.jsonl.gz")
        parser.add_argument(
            "--without-secrets",
            action="store_true",
            help="leave out hashes, keys and other secrets: nobody can sign in after a restoration",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file completely or not at all, readable for its owner only."""
        path = Path(options["file"])
        if path.exists() or path.is_symlink():
            raise CommandError(_("%(path)s exists already.") % {"path": path})
        try:
            with report_database_errors():
                self.write(path, has_secrets=not options["without_secrets"])
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error

    def write(self, path: Path, has_secrets: bool) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".backup-", dir=path.parent)  # mode 0600
        try:
            with open(descriptor, "wb") as file:
                file.writelines(iter_backup(has_secrets))
                file.flush()
                os.fsync(file.fileno())
            os.link(name, path)  # which does not replace a file made meanwhile
        finally:
            Path(name).unlink()
