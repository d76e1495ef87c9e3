"""The dashboard of an admin: totals, what needs attention, what was done.

In a small installation it is counted for the page. In a large one cached statistics are shown with
the time at which the worker counted them.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.generic import View

from domains.models import Admin, Domain, DomainState, Transport
from domains.services import transports
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.models import Log
from mailadmin.db.pagination import fetch_first_rows
from mailadmin.formatting import percent_of
from mailadmin.motd import get_motd
from mailboxes.dashboard.activity import RECENT_LINES, build_activity_bars, group_lines
from mailboxes.dashboard.failures import find_failures
from mailboxes.dashboard.first_steps import build_first_steps
from mailboxes.dashboard.groups import build_attention_groups
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.models.cached_stats import (
    BROKEN_DOMAIN_STAT,
    BROKEN_TRANSPORT_STAT,
    REROUTED_DOMAIN_STAT,
    CachedStat,
)
from mailboxes.owner.views import render_owner_home
from mailboxes.services import cached_stats, statistics
from mailboxes.services.statistics import ATTENTION_COUNT_LIMIT
from mailboxes.services.target_checks import find_undeliverable_targets

CachedStats = dict[str, list[Any]]  # rows of `STAT_COLUMNS`

STAT_COLUMNS = ("name", "key", "number", "percent")
MAX_RECHECKED = 100  # cached rows that are checked again for the page


class DashboardView(RoleRequiredMixin, View):
    roles = Role.ANYONE

    def get(self, request: HttpRequest) -> HttpResponse:
        person = self.principal
        if not isinstance(person, Admin):
            return render_owner_home(request)
        failures = find_failures(person)
        context = build_dashboard_context(person)
        found = context["attention"]
        groups = build_attention_groups(found)
        context |= {
            "attention": groups,
            "failed_jobs": failures.jobs,
            "undelivered_mails": failures.mails,
            "failed_maildir_runs": failures.maildir_runs,
            "attention_count": sum(map(len, found.values())) + failures.count_all(),
            "attention_is_cut": any(group.is_cut for group in groups.values()),
            "groups": group_lines(context.pop("lines"), person),
            "first_steps": build_first_steps(person, context["totals"]),
            "verbs": registry.action_labels,
            "motd": get_motd(person.role),
        }
        return render(request, "home.html", context)


def build_dashboard_context(person: Admin) -> dict[str, Any]:
    """Return what the page shows this person of their domains."""
    is_superadmin = person.role is Role.SUPERADMIN
    return build_superadmin_context(person) if is_superadmin else build_admin_context(person)


def build_superadmin_context(person: Admin) -> dict[str, Any]:
    stats = load_cached_stats(domain="")
    if "counted" in stats:
        return build_cached_context(
            person, stats, {name: stats[name][0].number for name in TOTAL_NAMES}
        )
    return build_live_context(
        person, statistics.aggregate_totals(DomainState.objects.visible_to(person)), stats
    )


def build_admin_context(person: Admin) -> dict[str, Any]:
    """Return the same for a domain admin, whose totals are summed for the page in any case."""
    names = person.managed_domains()
    own = Q(domain__in=names)
    stats = load_cached_stats(own | Q(domain="", name="counted"))
    if "counted" in stats:
        return build_cached_context(
            person,
            stats,
            statistics.aggregate_totals(DomainState.objects.visible_to(person)),
        )
    if not isinstance(names, list):
        return build_live_context(
            person,
            statistics.aggregate_totals(DomainState.objects.visible_to(person)),
            stats,
        )
    states, totals = statistics.fetch_states_and_totals(DomainState.objects.visible_to(person))
    return build_live_context(person, totals, stats, [s for s in states if s.needs_attention])


TOTAL_NAMES = ("domains", *statistics.TALLY_FIELDS)


def build_live_context(
    person: Admin,
    totals: dict[str, int],
    stats: CachedStats,
    states: Iterable[DomainState] | None = None,
) -> dict[str, Any]:
    """Return what is counted for the page."""
    if states is None:
        states = statistics.filter_first_needing_attention(DomainState.objects.visible_to(person))
    domains = states_to_domains(states)
    days = statistics.count_per_day(statistics.recent_log_days(Log.objects.visible_to(person)))
    return {
        "totals": totals,
        "days": build_activity_bars({row["day"]: row["count"] for row in days}),
        "lines": Log.objects.visible_to(person).order_by("-timestamp", "-pk")[:RECENT_LINES],
        "attention": build_undeliverable_context(person, stats)
        | {
            "full_domains": first_by_percent([domain for domain in domains if domain.active]),
            "inactive_domains": [domain for domain in domains if not domain.active][
                :ATTENTION_COUNT_LIMIT
            ],
            "full_mailboxes": find_full_mailboxes(person),
            "inactive_mailboxes": list(
                visible_inactive_mailboxes(person).order_by("pk")[:ATTENTION_COUNT_LIMIT]
            ),
        },
    }


def states_to_domains(states: Iterable[DomainState]) -> list[Domain]:
    """Return the domains, each with how much of its nearest limit is in use."""
    domains: list[Any] = []
    for state in states:
        state.domain.percent = statistics.get_limit_percent(state)
        domains.append(state.domain)
    return domains


def first_by_percent(domains: Iterable[Any]) -> list[Domain]:
    """Return the fullest domains."""
    found = sorted(domains, key=lambda domain: (-domain.percent, domain.pk))
    return found[:ATTENTION_COUNT_LIMIT]


def find_full_mailboxes(person: Admin) -> list[Usage]:
    full = statistics.nearly_full_mailboxes(person).select_related("mailbox")
    found = list(full[:ATTENTION_COUNT_LIMIT])
    for usage in found:
        usage.percent = percent_of(usage.bytes, usage.mailbox.quota)
    return found


def visible_inactive_mailboxes(person: Admin) -> QuerySet[Mailbox]:
    return Mailbox.objects.visible_to(person).filter(active=False).only("pk")


def load_cached_stats(*conditions: Q, **lookups: Any) -> CachedStats:
    """Return name → the cached statistics of that name."""
    found: CachedStats = defaultdict(list)
    stats = CachedStat.objects.filter(*conditions, **lookups).order_by("name", "key")
    for row in stats.values_list(*STAT_COLUMNS, named=True):
        found[row.name].append(row)
    return found


def build_cached_context(
    person: Admin, stats: CachedStats, totals: dict[str, int]
) -> dict[str, Any]:
    """Return what is cached."""
    inactive = registry.tables["mailboxes"].split_by_domain(
        visible_inactive_mailboxes(person), person
    )
    lines = registry.tables["log"].split_by_domain(Log.objects.visible_to(person), person)
    return {
        "as_of": datetime.datetime.fromtimestamp(stats["counted"][0].number, datetime.UTC),
        "totals": totals,
        "days": build_activity_bars(sum_by_day(stats["day"])),
        "lines": fetch_first_rows(Log, lines, ("timestamp", "pk"), RECENT_LINES, ascending=False),
        "attention": build_undeliverable_context(person, stats)
        | {
            "full_domains": first_by_percent(stats_to_domains(stats["full_domain"])),
            "inactive_domains": stats_to_domains(stats["inactive_domain"])[:ATTENTION_COUNT_LIMIT],
            "full_mailboxes": stats_to_full_mailboxes(stats["full_mailbox"]),
            "inactive_mailboxes": fetch_first_rows(
                Mailbox, inactive, ("pk",), ATTENTION_COUNT_LIMIT
            ),
        },
    }


def build_undeliverable_context(person: Admin, stats: CachedStats) -> dict[str, Any]:
    """Return what makes mail undeliverable, as the worker and the last changes have cached it."""
    return {
        "broken_transports": still_broken_transports(stats[BROKEN_TRANSPORT_STAT]),
        "broken_domains": still_broken_domains(stats[BROKEN_DOMAIN_STAT]),
        "rerouted_domains": still_rerouted_domains(stats[REROUTED_DOMAIN_STAT]),
        "lost_aliases": filter_visible_undeliverable(
            person,
            [row.key for row in stats[cached_stats.UNDELIVERABLE_ALIAS][:ATTENTION_COUNT_LIMIT]],
        ),
    }


def still_broken_transports(stats: list[Any]) -> list[Transport]:
    """Return those of the cached transports that have not been fixed or deleted since."""
    if not stats:
        return []
    rows = Transport.objects.filter(pk__in=[row.key for row in stats[:MAX_RECHECKED]])
    return list(transports.filter_undeliverable(rows).order_by("pk")[:ATTENTION_COUNT_LIMIT])


def still_broken_domains(stats: list[Any]) -> list[Domain]:
    """Return those of the cached domains whose transport has not been fixed since."""
    if not stats:
        return []
    rows = Domain.objects.filter(pk__in=[row.key for row in stats[:MAX_RECHECKED]])
    return list(
        transports.filter_undeliverable_domains(rows).order_by("pk")[:ATTENTION_COUNT_LIMIT]
    )


def still_rerouted_domains(stats: list[Any]) -> list[Domain]:
    """Return those of the cached domains whose mail the transport of everything still takes."""
    if not stats:
        return []
    rows = Domain.objects.filter(pk__in=[row.key for row in stats[:MAX_RECHECKED]])
    return [Domain(domain=name) for name in transports.iter_domains_taken_by_wildcard(rows)]


def filter_visible_undeliverable(person: Admin, keys: list[str]) -> list[Alias]:
    """Return the aliases that are undeliverable still, and whose fault is in scope.

    Nobody learns who exists in other domains.
    """
    if not keys:
        return []
    rows = list(Alias.objects.visible_to(person).filter(pk__in=keys, active=True).order_by("pk"))
    undeliverable = find_undeliverable_targets(person, rows)
    return [row for row in rows if row.pk in undeliverable]


def stats_to_domains(rows: list[Any]) -> list[Domain]:
    domains: list[Any] = [Domain(domain=row.key) for row in rows]
    for domain, row in zip(domains, rows, strict=True):
        domain.percent = row.percent
    return domains


def stats_to_full_mailboxes(rows: list[Any]) -> list[Usage]:
    rows = sorted(rows, key=lambda row: row.number, reverse=True)[:ATTENTION_COUNT_LIMIT]
    found = [Usage(mailbox_id=row.key, bytes=row.number) for row in rows]
    for usage, row in zip(found, rows, strict=True):
        usage.percent = row.percent
    return found


def sum_by_day(rows: list[Any]) -> dict[datetime.date, int]:
    days: dict[datetime.date, int] = defaultdict(int)
    for row in rows:
        days[datetime.date.fromisoformat(row.key)] += row.number
    return days
