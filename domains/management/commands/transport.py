"""`transport list | show | add | edit | delete`"""

from domains.views import Transports
from mailadmin.tables.cli import RowsCommand


class Command(RowsCommand):
    crud = Transports
