"""Managers and query sets of domains and admins: which rows a principal may see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db.models import Value
from django.db.models.functions import StrIndex, Substr

from mailadmin.accounts.models import PrincipalManager, Role, ScopedQuerySet

if TYPE_CHECKING:
    from domains.models import Admin


class AliasDomainQuerySet(ScopedQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Select alias domains whose ends are both domains of the principal."""
        if getattr(principal, "role", None) != Role.ADMIN:
            return super().visible_to(principal)
        managed = principal.managed_domains()
        return self.filter(alias_domain__in=managed, target_domain__in=managed)


class AdminQuerySet(ScopedQuerySet):
    def visible_to(self, principal: Any) -> Self:
        """Select all admins for superadmins, and for other admins themselves."""
        match getattr(principal, "role", None):
            case Role.SUPERADMIN:
                return self.all()
            case Role.ADMIN:
                return self.filter(pk=principal.pk)
            case _:
                return self.none()

    def superadmins(self) -> Self:
        return self.filter(superadmin=True)


class AdminManager(PrincipalManager.from_queryset(AdminQuerySet)):  # type: ignore[misc]
    _superuser_service: ClassVar[Callable[[str, str], Admin]]

    @classmethod
    def register_superuser_service(cls, service: Callable[[str, str], Admin]) -> None:
        """Register what creates superadmins: services know models, never the other way round."""
        cls._superuser_service = staticmethod(service)

    def create_superuser(self, username: str, password: str) -> Admin:
        """Create a superadmin, for Django's command `createsuperuser`."""
        return type(self)._superuser_service(username, password)


class DkimKeyQuerySet(ScopedQuerySet):
    domain_lookup = "domain_name"


class DkimSigningQuerySet(ScopedQuerySet):
    domain_lookup = "dkim__domain_name"


class SuperadminQuerySet(ScopedQuerySet):
    """Rows of no one domain, which only superadmins see."""

    def visible_to(self, principal: Any) -> Self:
        return self.all() if getattr(principal, "role", None) == Role.SUPERADMIN else self.none()


class TotpExceptionQuerySet(ScopedQuerySet):
    """They name a mailbox, a domain or, for superadmins only, nobody: they apply to everybody."""

    owner_lookup = "username"

    def visible_to(self, principal: Any) -> Self:
        if getattr(principal, "role", None) != Role.ADMIN:
            return super().visible_to(principal)
        return self.filter_by_domains(principal.managed_domains())

    def filter_by_domains(self, names: Any) -> Self:
        """Select exceptions for these domains and their mailboxes."""
        domain = Substr("username", StrIndex("username", Value("@")) + 1)  # without an @ the whole
        return self.annotate(of_domain=domain).filter(of_domain__in=names)
