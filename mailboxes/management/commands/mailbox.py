"""`mailbox list | show | add | edit | delete`"""

from mailadmin.tables.cli import RowsCommand
from mailboxes.views import Mailboxes


class Command(RowsCommand):
    crud = Mailboxes
