"""An admin's first page: how much there is, what needs attention, what was done.

It is counted for the page. Of a large installation the worker has kept it, and the page says when.
"""

import datetime
from collections import defaultdict

from django.db.models import Q
from django.shortcuts import render
from django.views.generic import View

from domains.models import Domain, Transport
from domains.services import transports
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.log_page import VERBS
from mailadmin.changes.models import Log
from mailadmin.db.pagination import first_rows
from mailadmin.formatting import percent_of
from mailadmin.jobs.models import Job
from mailadmin.jobs.views import own_jobs
from mailboxes.dashboard import cache, queries
from mailboxes.dashboard.models import BROKEN_DOMAIN, BROKEN_TRANSPORT, CachedStat
from mailboxes.dashboard.queries import DAYS, SHOWN, first_day, states_of
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.owner.views import own_home
from mailboxes.services.target_checks import problems_of

FAILED_SHOWN, FAILED_COUNTED = 3, 1000
RECHECKED = 100  # cached rows that are looked at again for the page


class Home(RoleRequired, View):
    roles = Role.ANYONE

    def get(self, request):
        person = request.user
        if person.role is Role.MAILBOX:
            return own_home(request)
        failed = own_jobs(person).filter(state=Job.State.FAILED).order_by("-pk")
        failed = list(failed.only("pk", "title")[:FAILED_COUNTED])
        context = {
            "failed_jobs": failed[:FAILED_SHOWN],
            "more_failed": len(failed) - FAILED_SHOWN,
            "verbs": VERBS,
        }
        return render(request, "home.html", context | told(person))


def told(person):
    """What the page tells this person of his domains."""
    return superadmins(person) if person.role is Role.SUPERADMIN else admins(person)


def superadmins(person):
    kept = kept_for(domain="")
    if "counted" in kept:
        return from_kept(person, kept, {name: kept[name][0].number for name in TOTALS})
    return counted(person, queries.totals(states_of(person)), kept)


def admins(person):
    """Totals are counted in any case: nobody else has the same domains."""
    names = person.managed_domains()
    own = Q(domain__in=names)
    kept = kept_for(own | Q(domain="", name="counted"))
    if "counted" in kept:
        return from_kept(person, kept, queries.totals(states_of(person)))
    if not isinstance(names, list):
        return counted(person, queries.totals(states_of(person)), kept)
    states, totals = queries.states_and_totals(states_of(person))
    return counted(person, totals, kept, [state for state in states if state.is_watched])


TOTALS = ("domains", *queries.TALLIES)


def counted(person, totals, kept, states=None):
    if states is None:
        states = queries.to_look_at(states_of(person)).select_related("domain")
    domains = [state.domain for state in states[:SHOWN]]
    days = queries.counted(queries.recent(Log.objects.visible_to(person)))
    return {
        "totals": totals,
        "days": bars({row["day"]: row["count"] for row in days}),
        "lines": Log.objects.visible_to(person).order_by("-timestamp", "-pk")[:SHOWN],
        "attention": lost(person, kept)
        | {
            "full_domains": [domain for domain in domains if domain.active],
            "inactive_domains": [domain for domain in domains if not domain.active],
            "full_mailboxes": full_mailboxes(person),
            "inactive_mailboxes": list(inactive_mailboxes(person).order_by("pk")[:SHOWN]),
        },
    }


def full_mailboxes(person):
    full = queries.nearly_full().select_related("mailbox")
    if person.role is Role.ADMIN:
        full = full.filter(mailbox__domain__in=person.managed_domains())
    found = list(full[:SHOWN])
    for usage in found:
        usage.percent = percent_of(usage.bytes, usage.mailbox.quota)
    return found


def inactive_mailboxes(person):
    return Mailbox.objects.visible_to(person).filter(active=False)


# Of a large installation


def kept_for(*which, **more):
    """name → what is kept under it."""
    found = defaultdict(list)
    for row in CachedStat.objects.filter(*which, **more).order_by("name", "key"):
        found[row.name].append(row)
    return found


def from_kept(person, kept, totals):
    inactive = registry.tables["mailboxes"].split_by_domain(inactive_mailboxes(person), person)
    lines = registry.tables["log"].split_by_domain(Log.objects.visible_to(person), person)
    return {
        "as_of": datetime.datetime.fromtimestamp(kept["counted"][0].number, datetime.UTC),
        "totals": totals,
        "days": bars(sum_by_day(kept["day"])),
        "lines": first_rows(Log, lines, ("timestamp", "pk"), SHOWN, upwards=False),
        "attention": lost(person, kept)
        | {
            "full_domains": domains_of(kept["full_domain"]),
            "inactive_domains": domains_of(kept["inactive_domain"]),
            "full_mailboxes": fullest(kept["full_mailbox"]),
            "inactive_mailboxes": first_rows(Mailbox, inactive, ("pk",), SHOWN),
        },
    }


def lost(person, kept):
    """Where mail is lost, as the worker and the last changes have noted it."""
    return {
        "broken_transports": still_broken_transports(kept[BROKEN_TRANSPORT]),
        "broken_domains": still_broken_domains(kept[BROKEN_DOMAIN]),
        "lost_aliases": lost_aliases(person, [row.key for row in kept[cache.LOST_ALIAS][:SHOWN]]),
    }


def still_broken_transports(stats: list[CachedStat]) -> list[Transport]:
    """Return those of the cached transports that have not been fixed or deleted since."""
    if not stats:
        return []
    rows = Transport.objects.filter(pk__in=[row.key for row in stats[:RECHECKED]])
    return list(transports.broken(rows).order_by("pk")[:SHOWN])


def still_broken_domains(stats: list[CachedStat]) -> list[Domain]:
    """Return those of the cached domains whose transport has not been fixed since."""
    if not stats:
        return []
    rows = Domain.objects.filter(pk__in=[row.key for row in stats[:RECHECKED]])
    return list(transports.broken_domains(rows).order_by("pk")[:SHOWN])


def lost_aliases(person, keys: list[str]) -> list[Alias]:
    """Those of the aliases whose fault this person may know: not who exists in others' domains."""
    aliases = [Alias(address=key) for key in keys]
    if person.role is Role.SUPERADMIN or not aliases:
        return aliases
    known = problems_of(person, list(Alias.objects.visible_to(person).filter(pk__in=keys)))
    return [alias for alias in aliases if alias.pk in known]


def domains_of(rows):
    return [Domain(domain=row.key) for row in rows[:SHOWN]]


def fullest(rows):
    rows = sorted(rows, key=lambda row: row.number, reverse=True)[:SHOWN]
    found = [Usage(mailbox_id=row.key, bytes=row.number) for row in rows]
    for usage, row in zip(found, rows, strict=True):
        usage.percent = row.percent
    return found


def sum_by_day(rows):
    days = defaultdict(int)
    for row in rows:
        days[datetime.date.fromisoformat(row.key)] += row.number
    return days


# The picture


def bars(counts):
    """The last thirty days with their numbers of log lines."""
    start, most = first_day(), max(counts.values(), default=0) or 1
    days = [start + datetime.timedelta(days=number) for number in range(DAYS)]
    return [bar(day, counts.get(day, 0), most) for day in days]


def bar(day, count, most):
    """A day of the picture: even an empty one shows a line."""
    height = max(2, round(100 * count / most))
    return {"day": day, "count": count, "height": height, "top": 100 - height}
