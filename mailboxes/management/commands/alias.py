"""`alias list | show | add | edit | delete`"""

from mailadmin.tables.cli import RowsCommand
from mailboxes.views import Aliases


class Command(RowsCommand):
    crud = Aliases
