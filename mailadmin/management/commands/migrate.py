"""`migrate`, which also adopts a collation that PostfixAdmin has changed."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from mailadmin.db.collations import follow_collation
from mailadmin.db.mysql import timeouts


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with timeouts.override(timeouts.UPGRADE_SECONDS):
            super().handle(*args, **options)
            if not options["plan"] and not options["check_unapplied"]:
                follow_collation(connections[options["database"]])
