"""`mailbox list | show | add | edit | delete`"""

from mailadmin.crud.command import RowsCommand
from mailboxes.views import Mailboxes


class Command(RowsCommand):
    crud = Mailboxes
