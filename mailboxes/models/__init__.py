"""What lives in a domain (`mail`), and the plans by which much of it comes at once (`plans`)."""

from mailboxes.dashboard.models import CachedStat
from mailboxes.models.mail import (
    Alias,
    AppPassword,
    EnumField,
    Fetchmail,
    Mailbox,
    OldUsage,
    StandaloneAlias,
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
    "CachedStat",
    "EnumField",
    "Fetchmail",
    "Mailbox",
    "OldUsage",
    "Plan",
    "PlanRow",
    "StandaloneAlias",
    "UploadPiece",
    "Usage",
    "Vacation",
    "VacationNotification",
    "Verification",
    "is_vacation_target",
    "maildir_of",
    "vacation_target",
]
