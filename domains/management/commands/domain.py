"""`domain list | show | add | edit | delete`"""

from domains.views import Domains
from mailadmin.tables.cli import RowsCommand


class Command(RowsCommand):
    crud = Domains
