"""Assignments of admins: duplicates, and the row `ALL` of superadmins."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Count, Exists, Q, QuerySet

from domains.models import ALL_DOMAINS, Admin, DomainAdmin
from domains.services.admins import compare_all_assignments
from mailadmin.accounts.models import Role
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    PlannedChange,
    Problem,
    in_domain_by,
    outer_value,
)

ADMINS = _("Admins")


def find_duplicate_assignments(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the admins to whom a domain is assigned more than once."""
    counts = rows.order_by().values("admin_id", "domain_id").annotate(count=Count("*"))
    names = counts.filter(count__gt=1).order_by("admin_id", "domain_id")
    domains: dict[str, list[str]] = defaultdict(list)
    for admin, domain in names.values_list("admin_id", "domain_id"):
        domains[admin].append(domain)
    for admin, own in domains.items():
        text = _("Assigned more than once: %(domains)s") % {"domains": ", ".join(own)}
        yield Problem(admin, text, url=key_url("admin", admin))


def plan_single_assignments(rows: QuerySet) -> list[PlannedChange]:
    """Plan to keep one assignment of each domain: the first active one."""
    seen: set[tuple[str, str]] = set()
    surplus = []
    for row in rows.order_by("-active", "pk"):
        name = fold(row.admin_id), fold(row.domain_id)
        if name in seen:
            surplus.append(row)
        seen.add(name)
    return [plan_deleted_assignment(row) for row in surplus]


def plan_deleted_assignment(row: DomainAdmin) -> PlannedChange:
    return PlannedChange("delete", row, {}, "edit_admin", "", row.admin_id)


def find_unequal_superadmins(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the admins whose superadmin flag and assignment of `ALL` say different things."""
    admin = outer_value(Admin._meta.pk, DomainAdmin._meta.get_field("admin"))
    assigned = DomainAdmin._base_manager.filter(admin=admin, domain=ALL_DOMAINS)
    has_none = Q(superadmin=True) & ~Q(Exists(assigned.filter(active=True)))
    for row in rows.filter(has_none | Q(superadmin=False) & Q(Exists(assigned))):
        text = _("A superadmin without the assignment “ALL”.")
        if not row.superadmin:
            text = _("The assignment “ALL”, but no superadmin.")
        yield Problem(row.pk, text, url=key_url("admin", row.pk))


def plan_equal_superadmins(rows: QuerySet) -> list[PlannedChange]:
    """Plan to assign `ALL` as the superadmin flag says."""
    return [change for admin in rows for change in plan_all_assignment(admin)]


def plan_all_assignment(admin: Admin) -> Iterable[PlannedChange]:
    rows = list(DomainAdmin._base_manager.filter(admin=admin, domain=ALL_DOMAINS))
    surplus, new = compare_all_assignments(admin, rows)
    yield from map(plan_deleted_assignment, surplus)
    yield from (PlannedChange("create", r, {}, "edit_admin", "", admin.pk) for r in new)


ADMIN_CHECKS = (
    IntegrityCheck(
        "assignment-duplicate",
        ADMINS,
        _("Domains assigned more than once"),
        _("PostfixAdmin refuses admins with several rows for one domain."),
        [CheckedRows(DomainAdmin, "admin_id", in_domain_by("domain"))],
        find_duplicate_assignments,
        plan_single_assignments,
        _("Keep one assignment of each domain, and delete the others."),
        roles=Role.SUPERADMIN,
    ),
    IntegrityCheck(
        "superadmin-all",
        ADMINS,
        _("Superadmin flag and assignment “ALL” differ"),
        _("PostfixAdmin reads both: one decides about the pages, the other about the domains."),
        [CheckedRows(Admin, "username")],
        find_unequal_superadmins,
        plan_equal_superadmins,
        _("Add or delete the assignment “ALL”, as the superadmin flag says."),
        roles=Role.SUPERADMIN,
    ),
)
