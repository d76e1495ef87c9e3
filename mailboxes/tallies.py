"""The numbers of all domains, counted anew by the worker: others write these tables too."""

from collections import defaultdict

from django.db import connection, models
from django.db.models import Count, ExpressionWrapper, Func, Q, Sum, Value
from django.db.models.functions import StrIndex, Substr

from domains.models import ALL, Domain, DomainState
from mailboxes.models import Alias, Mailbox, Usage


def recount():
    """Set every domain's numbers to what is there."""
    counted = defaultdict(dict)
    quota = Sum("quota", filter=Q(quota__gt=0), default=0)
    for row in Mailbox.objects.values("domain_id").annotate(number=Count("pk"), quota=quota):
        own = {"mailboxes": row["number"], "quota_assigned": row["quota"]}
        counted[row["domain_id"].lower()] |= own
    for row in Alias.objects.values("domain_id").annotate(number=Count("pk")):
        own = counted[row["domain_id"].lower()]
        own["aliases"] = row["number"] - own.get("mailboxes", 0)
    for domain, used in usage_by_domain():
        counted[domain.lower()]["quota_used"] = used
    states = DomainState.objects.in_bulk()
    names = set(Domain.objects.values_list("pk", flat=True))
    DomainState.objects.filter(pk__in=set(states) - names - {ALL}).delete()
    for domain in sorted(names):
        _set_tally(states.get(domain), domain, counted[domain.lower()])


TALLIES = ("mailboxes", "aliases", "quota_assigned", "quota_used")


def _set_tally(state, domain, numbers):
    """Only where a number is wrong, and only if nobody has written in the meantime."""
    wanted = {name: numbers.get(name, 0) for name in TALLIES}
    if state is None:
        DomainState.objects.bulk_create(
            [DomainState(domain_id=domain, **wanted)], ignore_conflicts=True
        )
    elif any(getattr(state, name) != number for name, number in wanted.items()):
        DomainState.objects.filter(pk=domain, version=state.version).update(**wanted)


def usage_by_domain():
    """(domain, bytes) from Dovecot's table; by the address, since its collation may fit no join."""
    if connection.vendor == "mysql":
        domain = Func("mailbox_id", Value("@"), Value(-1), function="SUBSTRING_INDEX")
    else:
        domain = Substr("mailbox_id", StrIndex("mailbox_id", Value("@")) + 1)
    named = Usage.objects.annotate(of=ExpressionWrapper(domain, models.CharField()))
    return named.values("of").annotate(used=Sum("bytes")).values_list("of", "used")
