"""`dkim-key list | show | add | edit | delete`"""

from mailadmin.tables.cli import TableCommand


class Command(TableCommand):
    slug = "dkim-keys"
