"""In which schemes the passwords of mailboxes are stored, by domain."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.db import transaction

from domains.models import Domain, DomainState
from mailadmin.accounts.person_tables import SCHEME_CHOICES
from mailadmin.accounts.stored_schemes import NO_PASSWORD, count_schemes
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.db.aggregates import bounded_sum
from mailadmin.names import try_normalize_domain
from mailadmin.passwords.strength import is_rejected, is_weak
from mailadmin.tables.actions import Text
from mailboxes.models import CachedStat, Mailbox
from mailboxes.models.cached_stats import SCHEME_STAT, SCHEME_STATS, SCHEMES_COUNTED_STAT
from mailboxes.services import cached_stats

COUNT_INTERVAL = 3600  # seconds; the worker reads the passwords of all mailboxes
MAX_AGE = 3 * COUNT_INTERVAL  # after which the worker's numbers are not used any more

SchemeCounts = Mapping[tuple[str, str], int]  # (domain, scheme) → number of mailboxes


class SchemeCount(NamedTuple):
    """How many people have their password in a scheme."""

    scheme: str
    people: int

    @property
    def label(self) -> Text:
        return SCHEME_CHOICES.get(self.scheme, self.scheme)

    @property
    def is_weak(self) -> bool:
        return self.scheme != NO_PASSWORD and is_weak(self.scheme)

    @property
    def is_rejected(self) -> bool:
        return is_rejected(self.scheme)


class WeakDomain(NamedTuple):
    """A domain in which passwords are stored in weak schemes."""

    domain: str
    weak: int
    mailboxes: int


def count_mailbox_schemes(principal: Any, domain: str = "") -> SchemeCounts:
    """Return the numbers in scope: counted, or in a large installation as the worker did."""
    name = try_normalize_domain(domain)
    if not has_recent_counts():
        mailboxes = Mailbox.objects.visible_to(principal)
        counted: Any = count_schemes(mailboxes.filter(domain=name) if name else mailboxes, "domain")
        return counted
    domains = Domain.objects.visible_to(principal)
    domains = domains.filter(pk=name) if name else domains
    stats = CachedStat.objects.filter(name=SCHEME_STAT, domain__in=domains.values("pk"))
    rows = stats.values_list("domain", "key", "number").iterator()
    return {(of_domain, scheme): number for of_domain, scheme, number in rows}


def has_recent_counts() -> bool:
    stat = CachedStat.objects.filter(domain="", name=SCHEMES_COUNTED_STAT, key="").first()
    return stat is not None and stat.number > time.time() - MAX_AGE


def store_scheme_counts() -> None:
    """Store the numbers of a large installation, so that no page has to read all passwords."""
    states = DomainState.objects.visible_to(ConsolePrincipal())
    stats = []
    if states.aggregate(sum=bounded_sum("mailboxes"))["sum"] > cached_stats.LIVE_COUNT_LIMIT:
        counts: Any = count_schemes(Mailbox.objects.all(), "domain")
        stats = [
            cached_stats.build_stat(domain, SCHEME_STAT, scheme, number, 0)
            for (domain, scheme), number in counts.items()
        ]
        stats.append(cached_stats.build_stat("", SCHEMES_COUNTED_STAT, "", int(time.time()), 0))
    with transaction.atomic():
        CachedStat.objects.filter(name__in=SCHEME_STATS).delete()
        # Another worker may store the same meanwhile.
        CachedStat.objects.bulk_create(stats, batch_size=1000, ignore_conflicts=True)


def sum_schemes(counts: SchemeCounts) -> list[SchemeCount]:
    """Return the numbers of all domains together, weak schemes first."""
    totals: Counter[str] = Counter()
    for (_domain, scheme), number in counts.items():
        totals[scheme] += number
    return sort_schemes(totals)


def sort_schemes(totals: Mapping[str, int]) -> list[SchemeCount]:
    found = [SchemeCount(scheme, number) for scheme, number in totals.items()]
    return sorted(found, key=lambda each: (not each.is_weak, -each.people, each.scheme))


def find_weak_domains(counts: SchemeCounts) -> list[WeakDomain]:
    """Return the domains with weak schemes, those with the most of them first."""
    weak: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for (domain, scheme), number in counts.items():
        total[domain] += number
        if SchemeCount(scheme, number).is_weak:
            weak[domain] += number
    found = [WeakDomain(domain, number, total[domain]) for domain, number in weak.items()]
    return sorted(found, key=lambda each: (-each.weak, each.domain))
