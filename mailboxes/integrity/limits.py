"""Domains and mailboxes beyond the limits."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db.models import F, FloatField, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast
from django.utils.formats import number_format

from domains.models import UNLIMITED, Domain
from domains.quotas import megabytes_to_bytes
from mailadmin import registry
from mailadmin.formatting import format_size, key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import join_texts
from mailboxes.integrity.alias_rows import MAILBOX_ROWS
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    Problem,
    in_domain_by,
    outer_value,
)
from mailboxes.models import Mailbox
from mailboxes.services.contents import count_contents
from mailboxes.services.limits import format_whole_megabytes

LIMITS = _("Limits")
DOMAINS_COUNTED_TOGETHER = 500
DOMAIN_ROWS = [
    CheckedRows(
        Domain,
        "domain",
        in_domain_by("domain"),
        ~Q(domain="ALL"),
        window=DOMAINS_COUNTED_TOGETHER,
    )
]


def find_exceeded_limits(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the domains with more mailboxes or aliases than they may have."""
    domains = list(rows.exclude(mailboxes=UNLIMITED, aliases=UNLIMITED))
    counted = count_contents(domain__in=[domain.pk for domain in domains]) if domains else {}
    for domain in domains:
        if texts := list(iter_exceeded_limits(domain, counted[fold(domain.pk)])):
            url = key_url("domain", domain.pk)
            yield Problem(domain.pk, join_texts(texts), domain.pk, url)


def iter_exceeded_limits(domain: Domain, counted: Mapping[str, int]) -> Iterator[str]:
    for kind in ("mailboxes", "aliases"):
        limits = {"mailboxes": domain.mailboxes, "aliases": domain.aliases}
        limit = limits[kind]
        if limit != UNLIMITED and counted[kind] > max(0, limit):
            text = _("%(rows)s of %(limit)s allowed.")
            rows = registry.tables[kind].format_count(counted[kind])
            yield text % {"rows": rows, "limit": number_format(max(0, limit))}


def find_exceeded_quotas(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the domains whose mailboxes have together more quota than the domain."""
    domains = [domain for domain in rows.filter(quota__gt=0) if domain.enforced_quota]
    counted = count_contents(domain__in=[domain.pk for domain in domains]) if domains else {}
    for domain in domains:
        assigned = counted[fold(domain.pk)]["quota_assigned"]
        if assigned > megabytes_to_bytes(domain.enforced_quota):
            text = _("%(assigned)s MB are assigned to mailboxes, of %(quota)s MB.")
            values = {
                "assigned": format_whole_megabytes(assigned),
                "quota": number_format(domain.enforced_quota),
            }
            yield Problem(domain.pk, text % values, domain.pk, key_url("domain", domain.pk))


def find_large_mailboxes(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the mailboxes with a larger quota than their domain allows one."""
    if settings.MAILADMIN_QUOTA_LIMITS == "no":
        return
    column, key = Mailbox._meta.get_field("domain"), Domain._meta.pk
    own = Domain._base_manager.filter(pk=outer_value(column, key), maxquota__gt=0)
    # A float: a limit that another program wrote may be too large for a BIGINT in bytes.
    size = Cast("maxquota", FloatField()) * Value(float(settings.MAILADMIN_QUOTA_MULTIPLIER))
    rows = rows.annotate(limit=Subquery(own.annotate(size=size).values("size")))
    wrong = rows.filter(limit__isnull=False).filter(Q(quota__gt=F("limit")) | Q(quota=0))
    for key, name, quota, limit in wrong.values_list("username", "domain_id", "quota", "limit"):
        text = _("Unlimited; the domain allows %(limit)s.")
        if quota:
            text = _("%(quota)s; the domain allows %(limit)s.")
        values = {"quota": format_size(quota), "limit": format_size(limit)}
        yield Problem(key, text % values, name, key_url("mailbox", key))


LIMIT_CHECKS = (
    IntegrityCheck(
        "domain-limits",
        LIMITS,
        _("More mailboxes or aliases than allowed"),
        _("No new ones can be created in these domains."),
        DOMAIN_ROWS,
        find_exceeded_limits,
        decision=_("Raise the limit of the domain, or delete rows."),
    ),
    IntegrityCheck(
        "domain-quota",
        LIMITS,
        _("More quota assigned than the domain has"),
        _("No mailbox of these domains can get more, and no new one can be created."),
        DOMAIN_ROWS,
        find_exceeded_quotas,
        decision=_("Raise the quota of the domain, or lower that of mailboxes."),
    ),
    IntegrityCheck(
        "mailbox-quota",
        LIMITS,
        _("Mailboxes larger than their domain allows"),
        _("The limit does not apply to them until their quota is changed."),
        MAILBOX_ROWS,
        find_large_mailboxes,
        decision=_("Lower the quota of the mailbox, or raise the limit of the domain."),
    ),
)
