"""`vacation list | show | add | edit | delete`"""

from mailadmin.tables.cli import TableCommand


class Command(TableCommand):
    slug = "vacations"
