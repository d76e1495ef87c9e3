"""The numbers of all domains, counted anew by the worker: others write these tables too."""

from django.db import connection, models
from django.db.models import ExpressionWrapper, Func, Value
from django.db.models.functions import StrIndex, Substr

from domains.models import ALL_DOMAINS, Domain, DomainState
from mailadmin.db.aggregates import bounded_sum
from mailadmin.names import fold
from mailboxes.dashboard.cache import refresh_stats
from mailboxes.models import Usage
from mailboxes.services.contents import count_contents


def recount_tallies():
    """Set every domain's numbers to what is there; versions are read before anything is counted."""
    states = DomainState.objects.in_bulk()
    counted = count_contents()
    used = {fold(domain): size for domain, size in sum_usage_by_domain()}
    names = set(Domain.objects.values_list("pk", flat=True))
    DomainState.objects.filter(pk__in=set(states) - names - {ALL_DOMAINS}).delete()
    for name in sorted(names):
        key = fold(name)
        _store_tally(states.get(name), name, counted[key] | {"quota_used": used.get(key, 0)})
    refresh_stats()


def _store_tally(state, domain, numbers):
    """Only where a number is wrong, and only if nobody has written in the meantime."""
    if state is None:
        new = DomainState(domain_id=domain, **numbers)
        DomainState.objects.bulk_create([new], ignore_conflicts=True)
    elif any(getattr(state, name) != number for name, number in numbers.items()):
        DomainState.objects.filter(pk=domain, version=state.version).update(**numbers)


def sum_usage_by_domain():
    """(domain, bytes) from Dovecot's table; by the address, since its collation may fit no join."""
    if connection.vendor == "mysql":
        domain = Func("mailbox_id", Value("@"), Value(-1), function="SUBSTRING_INDEX")
    else:
        domain = Substr("mailbox_id", StrIndex("mailbox_id", Value("@")) + 1)
    named = Usage.objects.annotate(of=ExpressionWrapper(domain, models.CharField()))
    return named.values("of").annotate(used=bounded_sum("bytes")).values_list("of", "used")
