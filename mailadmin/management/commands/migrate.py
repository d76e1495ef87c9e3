"""`migrate`, which also adopts a collation that PostfixAdmin has changed, and converted tables."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from mailadmin.db.autodetector import OwnColumnAutodetector
from mailadmin.db.collations import follow_collation
from mailadmin.db.mysql import timeouts
from mailadmin.db.operations import create_long_indexes


class Command(migrate.Command):
    autodetector = OwnColumnAutodetector

    def handle(self, *args: Any, **options: Any) -> None:
        with timeouts.override(timeouts.UPGRADE_SECONDS):
            super().handle(*args, **options)
            if not options["plan"] and not options["check_unapplied"]:
                follow_collation(connections[options["database"]])
                create_long_indexes(connections[options["database"]])
