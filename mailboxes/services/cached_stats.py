"""Statistics of a large installation, cached by the worker so that no page has to count."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from django.db import transaction
from django.db.models import F, Q, QuerySet

from domains.models import DomainState
from domains.services import transports
from mailadmin.changes.models import Log
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.compiled import CompiledQuery
from mailboxes.models import Alias
from mailboxes.models.cached_stats import (
    BROKEN_DOMAIN_STAT,
    BROKEN_TRANSPORT_STAT,
    REROUTED_DOMAIN_STAT,
    SCHEME_STATS,
    CachedStat,
)
from mailboxes.postfix.addresses import split_address
from mailboxes.services import statistics
from mailboxes.services.standalone_aliases import (
    reindex_standalone_aliases,
)
from mailboxes.services.statistics import ATTENTION_COUNT_LIMIT, get_limit_percent

LIVE_COUNT_LIMIT = 5000  # mailboxes; up to so many are counted for each page
CACHE_TTL_SECONDS = 3600  # during which cached numbers may be used instead of counting
CHUNK_SIZE = 10_000
UNDELIVERABLE_ALIAS = "lost_alias"
MAX_CHECKED_ALIASES = 500  # that are checked besides those cached

StatKey = tuple[str, str, str]  # domain (empty: all of them), name, key
StatValue = tuple[int, int]  # number, percent


def refresh_stats() -> None:
    """Refresh all statistics; of a small installation only those of undeliverable mail."""
    totals = statistics.aggregate_totals(DomainState.objects.visible_to(ConsolePrincipal()))
    if totals["mailboxes"] <= LIVE_COUNT_LIMIT:
        store_stats(dict(iter_undeliverable_stats()))
        return
    begun = int(time.time())
    reindex_standalone_aliases()
    store_stats(dict(iter_stats(totals)) | {("", "counted", ""): (begun, 0)})


def store_stats(wanted: dict[StatKey, StatValue]) -> None:
    """Store exactly these statistics, besides those of password schemes."""
    names = ("domain", "name", "key", "number", "percent", "pk")
    outdated = []
    stored = CachedStat.objects.exclude(name__in=SCHEME_STATS).values_list(*names)
    for *key, number, percent, pk in stored.iterator(CHUNK_SIZE):
        if wanted.get(tuple(key)) == (number, percent):
            del wanted[tuple(key)]
        else:
            outdated.append(pk)
    with transaction.atomic():
        for part in chunks(outdated):
            CachedStat.objects.filter(pk__in=part).delete()
        insert_rows(
            [
                build_stat(*key, *value)
                for key, value in wanted.items()
                if key[1] != UNDELIVERABLE_ALIAS
            ]
        )
        undeliverable = [
            build_stat(*key, *value)
            for key, value in wanted.items()
            if key[1] == UNDELIVERABLE_ALIAS
        ]
        # A service may have stored the same meanwhile.
        CachedStat.objects.bulk_create(undeliverable, ignore_conflicts=True)


def build_stat(domain: str, name: str, key: str, number: int, percent: int) -> CachedStat:
    return CachedStat(domain=domain, name=name, key=key, number=number, percent=percent)


def iter_stats(totals: dict[str, int]) -> Iterator[tuple[StatKey, StatValue]]:
    for name, number in totals.items():
        yield ("", name, ""), (number, 0)
    yield from limit_per_domain(iter_domains_needing_attention())
    yield from limit_per_domain(iter_full_mailboxes())
    yield from iter_undeliverable_stats()
    yield from iter_daily_activity()


def limit_per_domain(
    found: Iterable[tuple[str, str, str, StatValue]],
) -> Iterator[tuple[StatKey, StatValue]]:
    """Yield the first few statistics of each name, for each domain and for all together."""
    counts: Counter[tuple[str, str]] = Counter()
    for domain, name, key, value in found:
        for scope in (domain, ""):
            counts[scope, name] += 1
            if counts[scope, name] <= ATTENTION_COUNT_LIMIT:
                yield (scope, name, key), value


def iter_domains_needing_attention() -> Iterator[tuple[str, str, str, StatValue]]:
    states = statistics.filter_needing_attention(DomainState.objects.visible_to(ConsolePrincipal()))
    found = [
        (get_limit_percent(state), state.pk, state.domain.active)
        for state in states.select_related("domain").iterator(CHUNK_SIZE)
    ]
    for percent, key, active in sorted(found, reverse=True):
        yield key, "full_domain" if active else "inactive_domain", key, (0, percent)


def iter_full_mailboxes() -> Iterator[tuple[str, str, str, StatValue]]:
    found = statistics.nearly_full_mailboxes(ConsolePrincipal())
    for key, domain, size, quota in found.values_list(
        "pk", "mailbox__domain_id", "bytes", "mailbox__quota"
    ):
        yield domain, "full_mailbox", key, (size, min(100, round(100 * size / quota)))


def iter_undeliverable_stats() -> Iterator[tuple[StatKey, StatValue]]:
    """Yield what makes mail undeliverable.

    It is cached for small installations too: a page must not check all aliases.
    """
    yield from limit_per_domain(iter_undeliverable_by_domain())
    for transport in statistics.find_broken_transports(ConsolePrincipal())[:ATTENTION_COUNT_LIMIT]:
        yield ("", BROKEN_TRANSPORT_STAT, transport.pk), (0, 0)
    rerouted = transports.iter_domains_taken_by_wildcard()
    for name in itertools.islice(rerouted, ATTENTION_COUNT_LIMIT):
        yield ("", REROUTED_DOMAIN_STAT, name), (0, 0)


def iter_undeliverable_by_domain() -> Iterator[tuple[str, str, str, StatValue]]:
    for domain in statistics.find_domains_with_broken_transport(ConsolePrincipal()):
        yield domain.pk, BROKEN_DOMAIN_STAT, domain.pk, (0, 0)
    for alias in statistics.iter_undeliverable_aliases(Alias.objects.all()):
        yield alias.domain_id, UNDELIVERABLE_ALIAS, alias.pk, (0, 0)


def refresh_undeliverable(aliases: Sequence[Alias], domains: Iterable[str] = ()) -> None:
    """Cache at once which of these aliases are undeliverable; of many, check the first ones.

    Aliases of these domains that are cached as undeliverable are checked again.
    """
    names = {*domains, *(alias.domain_id for alias in aliases)}
    cached = CachedStat.objects.filter(domain__in=names, name=UNDELIVERABLE_ALIAS)
    keys = {
        *cached.values_list("key", flat=True),
        *(a.pk for a in aliases[:MAX_CHECKED_ALIASES]),
    }
    if not keys:
        return
    names |= {"", *(split_address(key)[1] for key in keys)}
    CachedStat.objects.filter(domain__in=names, name=UNDELIVERABLE_ALIAS, key__in=keys).delete()
    found = itertools.islice(
        statistics.iter_undeliverable_aliases(Alias.objects.filter(pk__in=keys)),
        ATTENTION_COUNT_LIMIT,
    )
    stats = [
        build_stat(scope, UNDELIVERABLE_ALIAS, a.pk, 0, 0)
        for a in found
        for scope in (a.domain_id, "")
    ]
    CachedStat.objects.bulk_create(stats, ignore_conflicts=True)


def iter_daily_activity() -> Iterator[tuple[StatKey, StatValue]]:
    """Yield the number of log lines per day, in all and by domain.

    Lines older than a domain belong to one of the same name that was deleted.
    """
    lines = Log.objects.all()
    for row in statistics.count_per_day(statistics.recent_log_days(lines)):
        yield ("", "day", str(row["day"])), (row["count"], 0)
    of_current_domain = Q(domain__created__isnull=True) | Q(domain__created__lte=F("timestamp"))
    by_domain = statistics.recent_log_days(lines.filter(of_current_domain)).values(
        "domain__domain", "day"
    )
    for row in statistics.count_per_day(by_domain):
        if name := row["domain__domain"]:
            yield (name, "day", str(row["day"])), (row["count"], 0)


def last_refresh_queryset() -> QuerySet[CachedStat]:
    """Return the statistic that holds the time of the last refresh, for subqueries."""
    return CachedStat.objects.filter(domain="", name="counted", key="")


LAST_REFRESH = CompiledQuery(last_refresh_queryset)


def get_last_refresh() -> int | None:
    """Return when the statistics were refreshed (Unix time); None if none are cached."""
    stat = LAST_REFRESH.first()
    return stat.number if stat else None


def is_recent_refresh(moment: int | None) -> bool:
    """Return whether the worker refreshed then so recently that tallies may be used."""
    return (moment or 0) > time.time() - CACHE_TTL_SECONDS
