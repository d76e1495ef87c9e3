"""Domains, alias domains, admins, transports, and the tables that belong to them."""

from domains.models.domains import (
    ALL_DOMAINS,
    MAX_LITERAL_DOMAINS,
    MAX_PASSWORD_EXPIRY_DAYS,
    MAX_QUOTA_MB,
    NONE_ALLOWED,
    UNLIMITED,
    Admin,
    AliasDomain,
    Domain,
    DomainAdmin,
    DomainFactorPolicy,
    DomainState,
    build_either_domain_filter,
)
from domains.models.related import (
    AdminPreference,
    Config,
    DkimKey,
    DkimSigning,
    OwnTotpException,
    TotpException,
    Transport,
)

__all__ = [
    "ALL_DOMAINS",
    "MAX_LITERAL_DOMAINS",
    "MAX_PASSWORD_EXPIRY_DAYS",
    "MAX_QUOTA_MB",
    "NONE_ALLOWED",
    "UNLIMITED",
    "Admin",
    "AdminPreference",
    "AliasDomain",
    "Config",
    "DkimKey",
    "DkimSigning",
    "Domain",
    "DomainAdmin",
    "DomainFactorPolicy",
    "DomainState",
    "OwnTotpException",
    "TotpException",
    "Transport",
    "build_either_domain_filter",
]
