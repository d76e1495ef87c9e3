"""`admin list | show | add | edit | delete`"""

from domains.views import Admins
from mailadmin.crud.command import RowsCommand


class Command(RowsCommand):
    crud = Admins
