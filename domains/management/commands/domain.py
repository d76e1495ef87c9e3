"""`domain list | show | add | edit | delete`"""

from domains.views import Domains
from mailadmin.crud.command import RowsCommand


class Command(RowsCommand):
    crud = Domains
