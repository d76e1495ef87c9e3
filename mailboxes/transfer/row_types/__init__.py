"""Every type of row that can be imported or exported, in the order of their dependencies."""

from mailboxes.transfer.row_types.aliases import AliasRowType
from mailboxes.transfer.row_types.app_passwords import AppPasswordRowType
from mailboxes.transfer.row_types.base import RowType
from mailboxes.transfer.row_types.domains import (
    AdminRowType,
    AliasDomainRowType,
    DomainLimitRowType,
    DomainRowType,
    TransportRowType,
)
from mailboxes.transfer.row_types.fields import SecretField
from mailboxes.transfer.row_types.mailboxes import UNUSABLE_PASSWORD_HASH, MailboxRowType
from mailboxes.transfer.row_types.related import (
    DkimKeyRowType,
    DkimSigningRowType,
    FetchmailRowType,
    TotpExceptionRowType,
)
from mailboxes.transfer.row_types.sender_permissions import SenderPermissionRowType
from mailboxes.transfer.row_types.vacations import VacationRowType

__all__ = [
    "ROW_TYPES_BY_TABLE",
    "ROW_TYPES",
    "UNUSABLE_PASSWORD_HASH",
    "STAGES",
    "RowType",
    "SecretField",
    "register_row_type",
]

ROW_TYPES: dict[str, RowType] = {}
ROW_TYPES_BY_TABLE: dict[str, RowType] = {}
STAGES: dict[str, int] = {}


def register_row_type(row_type: RowType) -> None:
    """Import and export rows of a type, after those that are registered already."""
    ROW_TYPES[row_type.name] = ROW_TYPES_BY_TABLE[row_type.table] = row_type
    STAGES[row_type.name] = len(STAGES)


for each in (
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
    SenderPermissionRowType(),
):
    register_row_type(each)
