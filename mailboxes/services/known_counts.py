"""How many rows a list has, where a tally or the worker's statistics know it."""

from collections.abc import Mapping
from typing import Any

from domains.models import DomainState
from mailadmin.accounts.models import Role
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import try_normalize_domain
from mailboxes.models.cached_stats import CachedStat

MAX_SUMMED_DOMAINS = 200  # more are not summed for a page
TOTALS = CompiledQuery(
    lambda name: CachedStat.objects.filter(domain="", name=name, key="").values_list("number")
)


def get_known_count(name: str, principal: Any, filters: Mapping[str, str]) -> int | None:
    """Return the number of domains, mailboxes or aliases in scope, or in the filter's domain."""
    if not set(filters) <= {"domain"}:
        return None
    states = DomainState.objects.visible_to(principal)
    if domain := filters.get("domain"):
        return sum_states(name, states.filter(pk=try_normalize_domain(domain)))
    if principal.role is Role.SUPERADMIN:
        cached = TOTALS.first(name=name)
        return cached[0] if cached else sum_states(name, states)
    # Lists of several domains run as many queries as a page may; their tabs have the counts.
    names = principal.managed_domains()
    is_one = isinstance(names, list) and len(names) == 1
    return sum_states(name, states) if is_one else None


def sum_states(name: str, states: Any) -> int | None:
    """Return the sum of a tally, None where it would take too many rows."""
    if name == "domains":
        keys = states.values_list("pk", flat=True)[: MAX_SUMMED_DOMAINS + 1]
        return len(keys) if len(keys) <= MAX_SUMMED_DOMAINS else None
    numbers = list(states.values_list(name, flat=True)[: MAX_SUMMED_DOMAINS + 1])
    return sum(numbers) if len(numbers) <= MAX_SUMMED_DOMAINS else None
