"""Recount the tallies of all domains, as other programs write these tables too."""

from django.db.models import QuerySet

from domains.models import ALL_DOMAINS, Domain, DomainState
from mailadmin.db.address_functions import AddressDomain
from mailadmin.db.aggregates import bounded_sum
from mailadmin.names import fold
from mailboxes.models import Usage
from mailboxes.services.cached_stats import refresh_stats
from mailboxes.services.contents import count_contents


def recount_tallies() -> None:
    """Correct the tallies of every domain.

    The versions of the domains are read before anything is counted, so that a tally which a service
    changes meanwhile is not overwritten.
    """
    states = DomainState.objects.in_bulk()
    counted = count_contents()
    used = {fold(domain): size for domain, size in sum_usage_by_domain()}
    names = set(Domain.objects.values_list("pk", flat=True))
    DomainState.objects.filter(pk__in=set(states) - names - {ALL_DOMAINS}).delete()
    for name in sorted(names):
        key = fold(name)
        _store_tally(states.get(name), name, counted[key] | {"quota_used": used.get(key, 0)})
    refresh_stats()


def _store_tally(state: DomainState | None, domain: str, numbers: dict[str, int]) -> None:
    """Store the tallies of a domain if they are wrong and the domain did not change meanwhile."""
    if state is None:
        new = DomainState(domain_id=domain, **numbers)
        DomainState.objects.bulk_create([new], ignore_conflicts=True)
    elif any(getattr(state, name) != number for name, number in numbers.items()):
        DomainState.objects.filter(pk=domain, version=state.version).update(**numbers)


def sum_usage_by_domain() -> QuerySet:
    """Return (domain, bytes) of Dovecot's quota table.

    The domain is taken from the address: a join may fail for the collation of that table.
    """
    named = Usage.objects.annotate(of=AddressDomain("mailbox_id"))
    return named.values("of").annotate(used=bounded_sum("bytes")).values_list("of", "used")
