"""`admin list | show | add | edit | delete`"""

from domains.views import Admins
from mailadmin.tables.cli import RowsCommand


class Command(RowsCommand):
    crud = Admins
