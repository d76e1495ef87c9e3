"""`transport list | show | add | edit | delete`"""

from domains.views import Transports
from mailadmin.crud.command import RowsCommand


class Command(RowsCommand):
    crud = Transports
