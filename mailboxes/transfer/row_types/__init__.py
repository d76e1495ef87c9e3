"""Every kind of row that can come in or go out, in the order in which they need each other."""

from mailboxes.transfer.row_types.aliases import Aliases
from mailboxes.transfer.row_types.base import Kind, Secret
from mailboxes.transfer.row_types.domains import Admins, AliasDomains, Domains, Limits, Transports
from mailboxes.transfer.row_types.mailboxes import NOBODYS, Mailboxes
from mailboxes.transfer.row_types.related import (
    AppPasswords,
    DkimKeys,
    DkimSignings,
    FetchmailEntries,
    TotpExceptions,
)
from mailboxes.transfer.row_types.vacations import Vacations

__all__ = ["BY_TABLE", "KINDS", "NOBODYS", "STAGES", "Kind", "Secret"]

KINDS = {
    kind.name: kind
    for kind in (
        Domains(),
        Admins(),
        Mailboxes(),
        Aliases(),
        Limits(),
        AliasDomains(),
        Vacations(),
        Transports(),
        FetchmailEntries(),
        AppPasswords(),
        DkimKeys(),
        DkimSignings(),
        TotpExceptions(),
    )
}
BY_TABLE = {kind.table: kind for kind in KINDS.values()}
STAGES = {name: number for number, name in enumerate(KINDS)}
