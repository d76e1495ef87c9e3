"""`alias list | show | add | edit | delete`"""

from mailadmin.crud.command import RowsCommand
from mailboxes.views import Aliases


class Command(RowsCommand):
    crud = Aliases
