"""The models of the platform, imported from its packages."""

from mailadmin.accounts.factors.models import Passkey, RecoveryCode, RoleFactorPolicy, UsedChallenge
from mailadmin.accounts.models import (
    KnownNetwork,
    LoginFailure,
    PasswordRequest,
    SessionEpoch,
    SignedInSession,
    UsedCode,
)
from mailadmin.accounts.oidc.models import ProviderSession
from mailadmin.accounts.recovery.models import RecoveryRequest
from mailadmin.api.models import RequestCount, StoredResponse, Token
from mailadmin.changes.models import Change, ChangeSecret, Log
from mailadmin.hooks.models import HookDelivery
from mailadmin.jobs.models import Job, JobKeys, WorkerHeartbeat
from mailadmin.mails.models import OutgoingMail, ReaderLanguage
from mailadmin.tables.models import SavedFilter

__all__ = [
    "Change",
    "ChangeSecret",
    "HookDelivery",
    "Job",
    "JobKeys",
    "KnownNetwork",
    "Log",
    "LoginFailure",
    "OutgoingMail",
    "Passkey",
    "PasswordRequest",
    "ProviderSession",
    "ReaderLanguage",
    "RecoveryCode",
    "RecoveryRequest",
    "RequestCount",
    "RoleFactorPolicy",
    "SavedFilter",
    "SessionEpoch",
    "SignedInSession",
    "StoredResponse",
    "Token",
    "UsedChallenge",
    "UsedCode",
    "WorkerHeartbeat",
]
