"""What the worker keeps of a large installation, so that no page has to count it."""

import datetime
import itertools
import time
from collections import Counter

from django.db import transaction
from django.db.models import F, Q

from mailadmin.changes.models import Log
from mailadmin.changes.perform import Console
from mailadmin.db.bulk import chunks, insert_rows
from mailboxes.dashboard import queries
from mailboxes.dashboard.models import BROKEN_DOMAIN, BROKEN_TRANSPORT, CachedStat
from mailboxes.dashboard.queries import SHOWN, states_of
from mailboxes.models import Alias
from mailboxes.postfix.routing import split_address
from mailboxes.services.standalone_aliases import (
    reindex_standalone_aliases,
)

COUNTED = 5000  # up to so many mailboxes pages count for themselves
TRUSTED = 3600  # seconds for which what was kept may stand for what is there
ROWS = 10_000
LOST_ALIAS = "lost_alias"
NEW = 500  # aliases that are looked for besides those kept


def keep():
    """Bring what is kept to what is there; nothing, where there is little."""
    totals = queries.totals(states_of(Console()))
    if totals["mailboxes"] <= COUNTED:
        keep_numbers(dict(lost()))
        return
    begun = int(time.time())
    reindex_standalone_aliases()
    keep_numbers(dict(numbers(totals)) | {("", "counted", ""): (begun, 0)})


def keep_numbers(wanted):
    """Set the numbers to these: (domain, name, key) → (number, percent)."""
    names = ("domain", "name", "key", "number", "percent", "pk")
    gone = []
    for *key, number, percent, pk in CachedStat.objects.values_list(*names).iterator(ROWS):
        if wanted.get(tuple(key)) == (number, percent):
            del wanted[tuple(key)]
        else:
            gone.append(pk)
    with transaction.atomic():
        for part in chunks(gone):
            CachedStat.objects.filter(pk__in=part).delete()
        insert_rows([kept(*key, *value) for key, value in wanted.items() if key[1] != LOST_ALIAS])
        lost = [kept(*key, *value) for key, value in wanted.items() if key[1] == LOST_ALIAS]
        # A service may have noted the same.
        CachedStat.objects.bulk_create(lost, ignore_conflicts=True)


def kept(domain, name, key, number, percent):
    return CachedStat(domain=domain, name=name, key=key, number=number, percent=percent)


def numbers(totals):
    for name, number in totals.items():
        yield ("", name, ""), (number, 0)
    yield from few_of_each(domains_to_look_at())
    yield from few_of_each(full_mailboxes())
    yield from lost()
    yield from days()


def few_of_each(found):
    """Of each domain, and of all, the first few of each name."""
    taken = Counter()
    for domain, name, key, value in found:
        for of in (domain, ""):
            taken[of, name] += 1
            if taken[of, name] <= SHOWN:
                yield (of, name, key), value


def domains_to_look_at():
    states = queries.to_look_at(states_of(Console()))
    for key, active in states.values_list("pk", "domain__active"):
        yield key, "full_domain" if active else "inactive_domain", key, (0, 0)


def full_mailboxes():
    found = queries.nearly_full()
    for key, domain, size, quota in found.values_list(
        "pk", "mailbox__domain_id", "bytes", "mailbox__quota"
    ):
        yield domain, "full_mailbox", key, (size, min(100, round(100 * size / quota)))


def lost():
    """Where mail is lost; kept of few mailboxes too, lest a page looks at all aliases."""
    yield from few_of_each(lost_in_domains())
    for transport in queries.broken_transports(Console())[:SHOWN]:
        yield ("", BROKEN_TRANSPORT, transport.pk), (0, 0)


def lost_in_domains():
    for domain in queries.broken_domains(Console()):
        yield domain.pk, BROKEN_DOMAIN, domain.pk, (0, 0)
    for alias in queries.lost_aliases(Alias.objects.all()):
        yield alias.domain_id, LOST_ALIAS, alias.pk, (0, 0)


def note_lost(aliases, domains=()):
    """Keep at once whether mail to these aliases is lost; of many the first few.

    Those of these domains that are kept as lost already are looked at again.
    """
    places = {"", *domains, *(alias.domain_id for alias in aliases)}
    kept_as_lost = CachedStat.objects.filter(domain__in=places, name=LOST_ALIAS)
    keys = {*kept_as_lost.values_list("key", flat=True), *(a.pk for a in aliases[:NEW])}
    if not keys:
        return
    places |= {split_address(key)[1] for key in keys}
    CachedStat.objects.filter(domain__in=places, name=LOST_ALIAS, key__in=keys).delete()
    found = itertools.islice(queries.lost_aliases(Alias.objects.filter(pk__in=keys)), SHOWN)
    notes = [kept(of, LOST_ALIAS, a.pk, 0, 0) for a in found for of in (a.domain_id, "")]
    CachedStat.objects.bulk_create(notes, ignore_conflicts=True)


def days():
    """Lines of each day, of all and of each domain: of these since there is the present one."""
    lines = Log.objects.all()
    for row in queries.counted(queries.recent(lines)):
        yield ("", "day", str(row["day"])), (row["count"], 0)
    born = Q(domain__created__isnull=True) | Q(domain__created__lte=F("timestamp"))
    by_domain = queries.recent(lines.filter(born)).values("domain__domain", "day")
    for row in queries.counted(by_domain):
        if name := row["domain__domain"]:
            yield (name, "day", str(row["day"])), (row["count"], 0)


def made_since(moment):
    """Aliases of which the log says that they were made since then, perhaps by PostfixAdmin."""
    since = datetime.datetime.fromtimestamp(moment, datetime.UTC) - datetime.timedelta(minutes=1)
    lines = Log.objects.filter(action="create_alias", timestamp__gte=since).order_by("-timestamp")
    return list(lines.values_list("data", flat=True)[:NEW])


# Asking for it


def moments():
    """When it was counted, if anything is kept."""
    return CachedStat.objects.filter(domain="", name="counted", key="")


def moment():
    """The same in seconds; None where nothing is kept."""
    return moments().values_list("number", flat=True).first()


def is_recent():
    """Whether the tallies can stand for what is there: the worker has just looked."""
    return (moment() or 0) > time.time() - TRUSTED
