"""`migrate`, which also looks whether PostfixAdmin has changed its tables meanwhile."""

from django.core.management.commands import migrate
from django.db import connections

from mailadmin.mysql import patience
from mailadmin.operations import follow_collation


class Command(migrate.Command):
    def handle(self, *args, **options):
        with patience.of(patience.UPGRADE):
            super().handle(*args, **options)
            if not options["plan"] and not options["check_unapplied"]:
                follow_collation(connections[options["database"]])
