"""`alias-domain list | show | add | edit | delete`"""

from domains.views import AliasDomains
from mailadmin.tables.cli import RowsCommand


class Command(RowsCommand):
    crud = AliasDomains
