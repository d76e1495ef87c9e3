"""Every kind of row that can come in or go out, in the order in which they need each other."""

from mailboxes.transfer.row_types.aliases import AliasRowType
from mailboxes.transfer.row_types.base import RowType, SecretField
from mailboxes.transfer.row_types.domains import (
    AdminRowType,
    AliasDomainRowType,
    DomainLimitRowType,
    DomainRowType,
    TransportRowType,
)
from mailboxes.transfer.row_types.mailboxes import UNUSABLE_PASSWORD_HASH, MailboxRowType
from mailboxes.transfer.row_types.related import (
    AppPasswordRowType,
    DkimKeyRowType,
    DkimSigningRowType,
    FetchmailRowType,
    TotpExceptionRowType,
)
from mailboxes.transfer.row_types.vacations import VacationRowType

__all__ = [
    "ROW_TYPES_BY_TABLE",
    "ROW_TYPES",
    "UNUSABLE_PASSWORD_HASH",
    "STAGES",
    "RowType",
    "SecretField",
]

ROW_TYPES = {
    kind.name: kind
    for kind in (
        DomainRowType(),
        AdminRowType(),
        MailboxRowType(),
        AliasRowType(),
        DomainLimitRowType(),
        AliasDomainRowType(),
        VacationRowType(),
        TransportRowType(),
        FetchmailRowType(),
        AppPasswordRowType(),
        DkimKeyRowType(),
        DkimSigningRowType(),
        TotpExceptionRowType(),
    )
}
ROW_TYPES_BY_TABLE = {kind.table: kind for kind in ROW_TYPES.values()}
STAGES = {name: number for number, name in enumerate(ROW_TYPES)}
