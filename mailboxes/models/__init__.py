"""What lives in a domain (`mail`), and the plans by which much of it comes at once (`plans`)."""

from mailboxes.models.mail import (
    Alias,
    AppPassword,
    EnumField,
    Fetchmail,
    LoneAlias,
    Mailbox,
    OldUsage,
    Usage,
    Vacation,
    VacationNotification,
    Verification,
    is_vacation_target,
    maildir_of,
    vacation_target,
)
from mailboxes.models.plans import Plan, PlanRow, UploadPiece

__all__ = [
    "Alias",
    "AppPassword",
    "EnumField",
    "Fetchmail",
    "LoneAlias",
    "Mailbox",
    "OldUsage",
    "Plan",
    "PlanRow",
    "UploadPiece",
    "Usage",
    "Vacation",
    "VacationNotification",
    "Verification",
    "is_vacation_target",
    "maildir_of",
    "vacation_target",
]
