"""In which schemes the passwords of mailboxes are stored, by domain."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from domains.models import Domain
from mailadmin.accounts.stored_schemes import NO_PASSWORD, count_schemes
from mailadmin.names import try_normalize_domain
from mailadmin.passwords.strength import is_rejected, is_weak
from mailboxes.models import CachedStat, Mailbox
from mailboxes.services import cached_stats

SchemeCounts = Mapping[tuple[str, str], int]  # (domain, scheme) → number of mailboxes


class SchemeCount(NamedTuple):
    """How many people have their password in a scheme."""

    scheme: str
    people: int

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
    if not cached_stats.is_recent_refresh(cached_stats.get_last_refresh()):
        mailboxes = Mailbox.objects.visible_to(principal)
        counted: Any = count_schemes(mailboxes.filter(domain=name) if name else mailboxes, "domain")
        return counted
    stats = CachedStat.objects.filter(name=cached_stats.SCHEME_STAT)
    stats = stats.filter(domain__in=Domain.objects.visible_to(principal).values("pk"))
    stats = stats.filter(domain=name) if name else stats
    return {(row.domain, row.key): row.number for row in stats}


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
