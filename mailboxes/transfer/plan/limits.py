"""How much the domains of a plan have room for, as far as it can be said before it is applied."""

import copy
import math
from collections import Counter
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Max
from django.utils.translation import gettext as _

from domains.models import NONE_ALLOWED, UNLIMITED, Domain
from mailadmin.accounts.models import Role
from mailadmin.names import fold
from mailboxes.models import Mailbox
from mailboxes.services.contents import count_contents
from mailboxes.services.limits import check_mailbox_quota, get_unassigned_quota

DOMAIN_LIMIT_COLUMNS = {"mailboxes", "aliases", "maxquota", "quota"}


@dataclass
class DomainCapacity:
    """A domain, what is in it, and what the plan brings."""

    domain: Domain
    can_widen_limits: bool
    present: Counter = field(default_factory=Counter)
    quota_left: int | None = None
    assigned: int = 0
    largest: int = 0
    has_unlimited_quota: bool = False

    def take(self, kind, values):
        if not self.can_widen_limits:
            self.check(kind, values)
        self.present[kind.limit_name] += 1
        if kind.has_quota:
            self.add_quota(values.get("quota", 0))

    def check(self, kind, values):
        if not self.domain.has_capacity_for(kind.limit_name, self.present[kind.limit_name]):
            text = _("The domain %(domain)s has reached its limit of %(table)s.")
            raise ValidationError(text % {"domain": self.domain, "table": kind.title})
        if not kind.has_quota:
            return
        quota = values.get("quota", 0)
        check_mailbox_quota(self.domain, Mailbox(quota=quota))
        if self.domain.quota > 0 and self.assigned + max(0, quota) > self.quota_left:
            raise ValidationError(_("The domain has not enough quota left."))

    def add_quota(self, quota):
        self.assigned += max(0, quota)
        self.largest = max(self.largest, quota)
        self.has_unlimited_quota |= quota == UNLIMITED

    def allow_widening(self):
        """The plan says the limits anew: they are made wide enough for what is in, and comes."""
        quotas = Mailbox.objects.filter(domain=self.domain)
        self.can_widen_limits = True
        self.assigned = self.present["quota_assigned"]
        self.largest = quotas.aggregate(largest=Max("quota", default=0))["largest"]
        self.has_unlimited_quota = quotas.filter(quota=UNLIMITED).exists()
        return self

    def find_limits_to_widen(self):
        """The limits of a new domain that are too narrow for what comes with it."""
        domain, needed = self.domain, {}
        for name in ("mailboxes", "aliases"):
            if self.present[name] and not domain.has_capacity_for(name, 0, self.present[name]):
                needed[name] = self.present[name]
        return needed | self.find_quotas_to_widen()

    def find_quotas_to_widen(self):
        domain, needed = self.domain, {}
        for name, size in (("maxquota", self.largest), ("quota", self.assigned)):
            limit = getattr(domain, name)
            is_off = limit == NONE_ALLOWED and self.largest > 0
            if is_off or (limit > 0 and self.has_unlimited_quota):
                needed[name] = UNLIMITED
            elif limit > 0 and size > limit * settings.MAILADMIN_QUOTA_MULTIPLIER:
                needed[name] = math.ceil(size / settings.MAILADMIN_QUOTA_MULTIPLIER)
        return needed


class DomainCapacities:
    """The domains that this person's rows may be in, those of the plan among them."""

    def __init__(self, principal):
        self.principal, self.capacities = principal, {}

    def check(self, kind, values, row):
        """Refuse what has no domain here, or no room in it."""
        if kind.name == "domain":
            self.capacities[fold(values["domain"])] = self.build_planned(values, row)
            return
        if row is not None and self.principal.role is not Role.SUPERADMIN:
            self.get_capacity(row.domain_id)  # which may be another than its address says
        for name in kind.referenced_domains(values):
            room = self.get_capacity(name)
            if row is None and kind.limit_name and not values.get("of_mailbox"):
                room.take(kind, values)

    def get_capacity(self, name):
        key = fold(name)
        if key not in self.capacities:
            self.capacities[key] = self.found(name)
        if self.capacities[key] is None:
            raise ValidationError(_("The domain %(name)s does not exist.") % {"name": name})
        return self.capacities[key]

    def build_planned(self, values, row):
        """A domain as the plan will have it."""
        if row is None:
            return DomainCapacity(Domain(**values), can_widen_limits=True)
        domain = copy.copy(row)
        vars(domain).update({name: values[name] for name in values if name != "domain"})
        room = self.of(domain)
        return room.allow_widening() if DOMAIN_LIMIT_COLUMNS & set(values) else room

    def found(self, name):
        domain = Domain.objects.visible_to(self.principal).filter(pk=name).first()
        return domain and self.of(domain)

    def of(self, domain):
        there = count_contents(domain__in=[domain.pk])[fold(domain.pk)]
        left = get_unassigned_quota(domain) if domain.quota > 0 else None
        return DomainCapacity(domain, False, Counter(there), left)

    def limits_to_widen(self):
        """Domain → limits, of the new ones that need wider ones."""
        needed = {
            key: room.find_limits_to_widen()
            for key, room in self.capacities.items()
            if room and room.can_widen_limits
        }
        return {key: limits for key, limits in needed.items() if limits}
