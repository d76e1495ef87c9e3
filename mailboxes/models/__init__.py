"""Mailboxes and aliases, what other programs keep about them, verifications and imports."""

from mailboxes.models.app_passwords import (
    AppPassword,
    AppPasswordLimits,
    AppPasswordSalt,
    DomainMailLogin,
    LastLogin,
    MailboxMailLogin,
)
from mailboxes.models.broadcasts import Broadcast
from mailboxes.models.cached_stats import CachedStat
from mailboxes.models.device_links import DeviceLink
from mailboxes.models.fetchmail import Fetchmail, FetchmailRun
from mailboxes.models.goto import is_vacation_target, vacation_target
from mailboxes.models.mail import (
    Alias,
    AliasTarget,
    Mailbox,
    StandaloneAlias,
    Vacation,
    VacationNotification,
    build_alias_targets,
    build_maildir,
)
from mailboxes.models.maildirs import LeftoverMaildir, MaildirRun
from mailboxes.models.plans import Plan, PlanRow, UploadPiece
from mailboxes.models.related import EnumField, OldUsage, Usage
from mailboxes.models.reminders import ExpiryReminder
from mailboxes.models.sender_permissions import SenderPermission
from mailboxes.models.verification import Verification

__all__ = [
    "Alias",
    "AliasTarget",
    "AppPassword",
    "AppPasswordLimits",
    "AppPasswordSalt",
    "Broadcast",
    "CachedStat",
    "DeviceLink",
    "DomainMailLogin",
    "EnumField",
    "ExpiryReminder",
    "Fetchmail",
    "FetchmailRun",
    "LastLogin",
    "LeftoverMaildir",
    "Mailbox",
    "MailboxMailLogin",
    "MaildirRun",
    "OldUsage",
    "Plan",
    "PlanRow",
    "SenderPermission",
    "StandaloneAlias",
    "UploadPiece",
    "Usage",
    "Vacation",
    "VacationNotification",
    "Verification",
    "build_alias_targets",
    "build_maildir",
    "is_vacation_target",
    "vacation_target",
]
