"""The limits of a plan's domains, checked as far as possible before the plan is applied."""

import copy
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from django.core.exceptions import ValidationError
from django.db.models import Max

from domains.models import NONE_ALLOWED, UNLIMITED, Domain
from domains.quotas import bytes_to_megabytes, megabytes_to_bytes
from domains.services.domains import without_second_factor
from mailadmin.accounts.models import Principal, Role
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailboxes.models import Mailbox
from mailboxes.services.contents import count_contents
from mailboxes.services.domains import without_values_of_mailboxes
from mailboxes.services.limits import check_mailbox_quota, get_unassigned_quota
from mailboxes.transfer.row_types.base import ModelRow, RowType, RowValues

DOMAIN_LIMIT_COLUMNS = {"mailboxes", "aliases", "maxquota", "quota"}
DomainLimits = dict[str, int]  # column of a domain → limit


@dataclass
class DomainCapacity:
    """A domain's limits, and what counts against them: its contents and what the plan adds."""

    domain: Domain
    can_widen_limits: bool
    counts: Counter = field(default_factory=Counter)
    quota_left: int | None = None
    assigned_quota: int = 0
    largest_quota: int = 0
    has_unlimited_quota: bool = False
    allowed_quotas: set[int] = field(default_factory=set)  # of one mailbox; few that many have

    def add_row(self, row_type: RowType, values: RowValues) -> None:
        if not self.can_widen_limits:
            self.check_limits(row_type, values)
        self.counts[row_type.limit_name] += 1
        if row_type.has_quota:
            self.add_quota(values.get("quota", 0))

    def check_limits(self, row_type: RowType, values: RowValues) -> None:
        if not self.domain.has_capacity_for(row_type.limit_name, self.counts[row_type.limit_name]):
            text = _("%(domain)s has reached its limit of %(table)s.")
            raise ValidationError(text % {"domain": self.domain, "table": row_type.title})
        if not row_type.has_quota:
            return
        quota = values.get("quota", 0)
        if quota not in self.allowed_quotas:
            check_mailbox_quota(self.domain, Mailbox(quota=quota))
            self.allowed_quotas.add(quota)
        if self.domain.enforced_quota > 0 and self.assigned_quota + max(0, quota) > self.quota_left:
            raise ValidationError(_("Not enough domain quota is left."))

    def add_quota(self, quota: int) -> None:
        self.assigned_quota += max(0, quota)
        self.largest_quota = max(self.largest_quota, quota)
        self.has_unlimited_quota |= quota == UNLIMITED

    def allow_widening(self) -> Self:
        """Count existing mailboxes as well: limits set by the plan have to allow all of them."""
        quotas = Mailbox.objects.filter(domain=self.domain)
        self.can_widen_limits = True
        self.assigned_quota = self.counts["quota_assigned"]
        self.largest_quota = quotas.aggregate(largest=Max("quota", default=0))["largest"]
        self.has_unlimited_quota = quotas.filter(quota=UNLIMITED).exists()
        return self

    def find_limits_to_widen(self) -> DomainLimits:
        """Return the limits that are too narrow for the contents, each as wide as needed."""
        domain, needed = self.domain, {}
        for name in ("mailboxes", "aliases"):
            if self.counts[name] and not domain.has_capacity_for(name, 0, self.counts[name]):
                needed[name] = self.counts[name]
        return needed | self.find_quotas_to_widen()

    def find_quotas_to_widen(self) -> DomainLimits:
        domain, needed = self.domain, {}
        for name, limit, size in (
            ("maxquota", domain.enforced_maxquota, self.largest_quota),
            ("quota", domain.enforced_quota, self.assigned_quota),
        ):
            is_off = limit == NONE_ALLOWED and self.largest_quota > 0
            if is_off or (limit > 0 and self.has_unlimited_quota):
                needed[name] = UNLIMITED
            elif limit > 0 and size > megabytes_to_bytes(limit):
                needed[name] = math.ceil(bytes_to_megabytes(size))
        return needed


class DomainCapacities:
    """The capacities of the domains that a principal's rows may be in, planned ones included."""

    def __init__(self, principal: Principal | ConsolePrincipal) -> None:
        self.principal = principal
        self.capacities: dict[str, DomainCapacity | None] = {}

    def check_row(self, row_type: RowType, values: RowValues, row: ModelRow | None) -> None:
        """Refuse a row whose domain does not exist for the principal, or is full."""
        if row_type.name == "domain":
            self.capacities[fold(values["domain"])] = self.build_planned(values, row)
            return
        if row is not None and self.principal.role is not Role.SUPERADMIN:
            self.get_capacity(row.domain_id)  # may differ from that of its address
        for name in row_type.referenced_domains(values):
            capacity = self.get_capacity(name)
            if row is None and row_type.counts_against_limit(values):
                capacity.add_row(row_type, values)

    def get_capacity(self, name: str) -> DomainCapacity:
        key = fold(name)
        if key not in self.capacities:
            self.capacities[key] = self.load_capacity(name)
        capacity = self.capacities[key]
        if capacity is None:
            raise ValidationError(_("The domain %(name)s does not exist.") % {"name": name})
        return capacity

    def build_planned(self, values: RowValues, row: ModelRow | None) -> DomainCapacity:
        """Return the capacity of a domain as the plan creates or changes it."""
        columns = without_values_of_mailboxes(without_second_factor(values))
        if row is None:
            return DomainCapacity(Domain(**columns), can_widen_limits=True)
        domain = copy.copy(row)
        vars(domain).update({name: columns[name] for name in columns if name != "domain"})
        capacity = self.build_capacity(domain)
        return capacity.allow_widening() if DOMAIN_LIMIT_COLUMNS & set(values) else capacity

    def load_capacity(self, name: str) -> DomainCapacity | None:
        domain = Domain.objects.visible_to(self.principal).filter(pk=name).first()
        return self.build_capacity(domain) if domain else None

    def build_capacity(self, domain: Domain) -> DomainCapacity:
        contents = count_contents(domain__in=[domain.pk])[fold(domain.pk)]
        quota_left = get_unassigned_quota(domain) if domain.enforced_quota > 0 else None
        return DomainCapacity(domain, False, Counter(contents), quota_left)

    def limits_to_widen(self) -> dict[str, DomainLimits]:
        """Return wider limits for planned domains that need them, by folded name."""
        needed = {
            key: capacity.find_limits_to_widen()
            for key, capacity in self.capacities.items()
            if capacity and capacity.can_widen_limits
        }
        return {key: limits for key, limits in needed.items() if limits}
