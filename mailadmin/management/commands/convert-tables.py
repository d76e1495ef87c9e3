"""`convert-tables`: convert MyISAM tables to InnoDB, so that changes are atomic."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from mailadmin.db.checks import find_nontransactional_tables
from mailadmin.db.mysql import timeouts
from mailadmin.db.operations import create_long_indexes


class Command(BaseCommand):
    help = "Convert MyISAM tables to InnoDB. A table cannot be written while it is converted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--plan", action="store_true", help="only list the tables")

    def handle(self, *args: Any, plan: bool = False, **options: Any) -> None:
        tables = find_nontransactional_tables()
        if not tables:
            self.stdout.write("All tables are transactional already.")
        with timeouts.override(timeouts.UPGRADE_SECONDS):
            for table in tables:
                self.stdout.write(table)
                if not plan:
                    self._convert_table(table)
            if not plan:
                create_long_indexes(connection)

    def _convert_table(self, table: str) -> None:
        """Convert a table; strict mode without NO_ZERO_DATE accepts old zero dates."""
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")
            cursor.execute(f"ALTER TABLE {connection.ops.quote_name(table)} ENGINE=InnoDB")
