"""What the worker keeps of a large installation, so that no page has to count it."""

import datetime
import itertools
import time
from collections import Counter

from django.db import transaction
from django.db.models import F, Q

from mailadmin.changes.models import Log
from mailadmin.changes.perform import ConsolePrincipal
from mailadmin.db.bulk import chunks, insert_rows
from mailboxes.dashboard import queries
from mailboxes.dashboard.models import BROKEN_DOMAIN_STAT, BROKEN_TRANSPORT_STAT, CachedStat
from mailboxes.dashboard.queries import DASHBOARD_ROW_LIMIT, visible_domain_states
from mailboxes.models import Alias
from mailboxes.postfix.routing import split_address
from mailboxes.services.standalone_aliases import (
    reindex_standalone_aliases,
)

LIVE_COUNT_LIMIT = 5000  # up to so many mailboxes pages count for themselves
CACHE_TTL_SECONDS = 3600  # seconds for which what was kept may stand for what is there
CHUNK_SIZE = 10_000
UNDELIVERABLE_ALIAS = "lost_alias"
MAX_CHECKED_ALIASES = 500  # aliases that are looked for besides those kept


def refresh_stats():
    """Bring what is kept to what is there; nothing, where there is little."""
    totals = queries.aggregate_totals(visible_domain_states(ConsolePrincipal()))
    if totals["mailboxes"] <= LIVE_COUNT_LIMIT:
        store_stats(dict(iter_undeliverable_stats()))
        return
    begun = int(time.time())
    reindex_standalone_aliases()
    store_stats(dict(iter_stats(totals)) | {("", "counted", ""): (begun, 0)})


def store_stats(wanted):
    """Set the numbers to these: (domain, name, key) → (number, percent)."""
    names = ("domain", "name", "key", "number", "percent", "pk")
    gone = []
    for *key, number, percent, pk in CachedStat.objects.values_list(*names).iterator(CHUNK_SIZE):
        if wanted.get(tuple(key)) == (number, percent):
            del wanted[tuple(key)]
        else:
            gone.append(pk)
    with transaction.atomic():
        for part in chunks(gone):
            CachedStat.objects.filter(pk__in=part).delete()
        insert_rows(
            [
                build_stat(*key, *value)
                for key, value in wanted.items()
                if key[1] != UNDELIVERABLE_ALIAS
            ]
        )
        lost = [
            build_stat(*key, *value)
            for key, value in wanted.items()
            if key[1] == UNDELIVERABLE_ALIAS
        ]
        # A service may have noted the same.
        CachedStat.objects.bulk_create(lost, ignore_conflicts=True)


def build_stat(domain, name, key, number, percent):
    return CachedStat(domain=domain, name=name, key=key, number=number, percent=percent)


def iter_stats(totals):
    for name, number in totals.items():
        yield ("", name, ""), (number, 0)
    yield from limit_per_domain(iter_domains_needing_attention())
    yield from limit_per_domain(iter_full_mailboxes())
    yield from iter_undeliverable_stats()
    yield from iter_daily_activity()


def limit_per_domain(found):
    """Of each domain, and of all, the first few of each name."""
    taken = Counter()
    for domain, name, key, value in found:
        for of in (domain, ""):
            taken[of, name] += 1
            if taken[of, name] <= DASHBOARD_ROW_LIMIT:
                yield (of, name, key), value


def iter_domains_needing_attention():
    states = queries.filter_needing_attention(visible_domain_states(ConsolePrincipal()))
    for key, active in states.values_list("pk", "domain__active"):
        yield key, "full_domain" if active else "inactive_domain", key, (0, 0)


def iter_full_mailboxes():
    found = queries.nearly_full_mailboxes()
    for key, domain, size, quota in found.values_list(
        "pk", "mailbox__domain_id", "bytes", "mailbox__quota"
    ):
        yield domain, "full_mailbox", key, (size, min(100, round(100 * size / quota)))


def iter_undeliverable_stats():
    """Where mail is lost; kept of few mailboxes too, lest a page looks at all aliases."""
    yield from limit_per_domain(iter_undeliverable_by_domain())
    for transport in queries.find_broken_transports(ConsolePrincipal())[:DASHBOARD_ROW_LIMIT]:
        yield ("", BROKEN_TRANSPORT_STAT, transport.pk), (0, 0)


def iter_undeliverable_by_domain():
    for domain in queries.find_domains_with_broken_transport(ConsolePrincipal()):
        yield domain.pk, BROKEN_DOMAIN_STAT, domain.pk, (0, 0)
    for alias in queries.iter_undeliverable_aliases(Alias.objects.all()):
        yield alias.domain_id, UNDELIVERABLE_ALIAS, alias.pk, (0, 0)


def refresh_undeliverable(aliases, domains=()):
    """Keep at once whether mail to these aliases is lost; of many the first few.

    Those of these domains that are kept as lost already are looked at again.
    """
    places = {"", *domains, *(alias.domain_id for alias in aliases)}
    kept_as_lost = CachedStat.objects.filter(domain__in=places, name=UNDELIVERABLE_ALIAS)
    keys = {
        *kept_as_lost.values_list("key", flat=True),
        *(a.pk for a in aliases[:MAX_CHECKED_ALIASES]),
    }
    if not keys:
        return
    places |= {split_address(key)[1] for key in keys}
    CachedStat.objects.filter(domain__in=places, name=UNDELIVERABLE_ALIAS, key__in=keys).delete()
    found = itertools.islice(
        queries.iter_undeliverable_aliases(Alias.objects.filter(pk__in=keys)), DASHBOARD_ROW_LIMIT
    )
    notes = [
        build_stat(of, UNDELIVERABLE_ALIAS, a.pk, 0, 0) for a in found for of in (a.domain_id, "")
    ]
    CachedStat.objects.bulk_create(notes, ignore_conflicts=True)


def iter_daily_activity():
    """Lines of each day, of all and of each domain: of these since there is the present one."""
    lines = Log.objects.all()
    for row in queries.count_per_day(queries.recent_log_days(lines)):
        yield ("", "day", str(row["day"])), (row["count"], 0)
    born = Q(domain__created__isnull=True) | Q(domain__created__lte=F("timestamp"))
    by_domain = queries.recent_log_days(lines.filter(born)).values("domain__domain", "day")
    for row in queries.count_per_day(by_domain):
        if name := row["domain__domain"]:
            yield (name, "day", str(row["day"])), (row["count"], 0)


def find_aliases_created_since(moment):
    """Aliases of which the log says that they were made since then, perhaps by PostfixAdmin."""
    since = datetime.datetime.fromtimestamp(moment, datetime.UTC) - datetime.timedelta(minutes=1)
    lines = Log.objects.filter(action="create_alias", timestamp__gte=since).order_by("-timestamp")
    return list(lines.values_list("data", flat=True)[:MAX_CHECKED_ALIASES])


# Asking for it


def last_refresh_queryset():
    """When it was counted, if anything is kept."""
    return CachedStat.objects.filter(domain="", name="counted", key="")


def get_last_refresh():
    """The same in seconds; None where nothing is kept."""
    return last_refresh_queryset().values_list("number", flat=True).first()


def is_fresh():
    """Whether the tallies can stand for what is there: the worker has just looked."""
    return (get_last_refresh() or 0) > time.time() - CACHE_TTL_SECONDS
