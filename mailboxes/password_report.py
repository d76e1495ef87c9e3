"""The page of passwords: in which schemes they are stored, and in which domains they are weak."""

from typing import Any

from django.views.generic import TemplateView

from domains.models import Admin
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.stored_schemes import count_schemes
from mailboxes.services.password_schemes import (
    SchemeCount,
    count_mailbox_schemes,
    find_weak_domains,
    sort_schemes,
    sum_schemes,
)

MAX_DOMAINS = 50  # that are listed


class PasswordReportView(RoleRequiredMixin, TemplateView):
    """Count the stored schemes in scope; the lists show whose they are."""

    roles = Role.ADMINS
    template_name = "mailboxes/password_report.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        domain = self.request.GET.get("domain", "").strip()
        counts = count_mailbox_schemes(self.principal, domain)
        weak_domains = find_weak_domains(counts)
        return super().get_context_data(
            domain=domain,
            schemes=sum_schemes(counts),
            admin_schemes=count_admin_schemes() if self.shows_admins else [],
            weak_domains=weak_domains[:MAX_DOMAINS],
            rest=max(0, len(weak_domains) - MAX_DOMAINS),
            **kwargs,
        )

    @property
    def shows_admins(self) -> bool:
        return self.principal.role is Role.SUPERADMIN


def count_admin_schemes() -> list[SchemeCount]:
    counts = count_schemes(Admin.objects.all())
    return sort_schemes({scheme: number for (scheme,), number in counts.items()})
