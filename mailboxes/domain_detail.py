"""The page of one domain."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Subquery
from django.http import Http404

from domains.models import (
    AliasDomain,
    Domain,
    DomainAdmin,
    DomainState,
    Transport,
    build_either_domain_filter,
)
from domains.services.transports import (
    annotate_transports,
    get_effective_transport,
    get_effective_transports,
)
from mailadmin import registry
from mailadmin.changes.models import Log
from mailadmin.db.pagination import fetch_first_rows, rows_of_value
from mailadmin.tables.views.detail import RowOverviewView
from mailboxes.dashboard.activity import RECENT_LINES, group_lines
from mailboxes.domain_tables import DomainTable
from mailboxes.models import Alias, StandaloneAlias
from mailboxes.postfix.explain import annotate_alias_domain, explain_domain
from mailboxes.row_values import add_usage
from mailboxes.services import cached_stats, limits

PREVIEW_ROW_LIMIT = 10


class DomainDetailView(RowOverviewView):
    """One domain: its numbers against its limits, and what is in it."""

    table = DomainTable()

    def get_object(self, queryset: Any = None) -> Domain:
        domains = Domain.objects.visible_to(self.request.user).select_related("state")
        domains = domains.annotate(
            counted=Subquery(cached_stats.last_refresh_queryset().values("number"))
        )
        key = self.kwargs["key"]
        rows = annotate_alias_domain(annotate_transports(domains, key), key)
        domain = rows.filter(pk=key).first()
        if domain is None:
            raise Http404
        if not hasattr(domain, "state"):
            domain.state = DomainState(domain_id=domain.pk)
        return domain

    def get_aliases(self, domain: Any) -> Iterable[Alias]:
        """Return the first standalone aliases; in a large domain by their index table."""
        if not domain.counted or domain.state.mailboxes <= limits.SMALL_DOMAIN_LIMIT:
            return domain.alias_set.without_mailbox().order_by("pk")[:PREVIEW_ROW_LIMIT]
        known = StandaloneAlias.scoped.with_alias().filter(domain=domain).select_related("alias")
        return [entry.alias for entry in known.order_by("pk")[:PREVIEW_ROW_LIMIT]]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        domain, person = self.object, self.request.user
        outcome, says = explain_domain(domain, get_effective_transport(domain))
        mailboxes = add_usage(domain.mailbox_set.order_by("pk")[:PREVIEW_ROW_LIMIT])
        admins = DomainAdmin.objects.filter(domain=domain, active=True).order_by("admin_id")
        return super().get_context_data(
            mailboxes=mailboxes,
            aliases=self.get_aliases(domain),
            outcome=outcome,
            says=says,
            mirrors=AliasDomain.objects.visible_to(person).filter(
                build_either_domain_filter([domain.pk])
            ),
            admins=dict.fromkeys(admins.values_list("admin_id", flat=True)),
            groups=group_lines(fetch_recent_lines(domain, person), person),
            verbs=registry.action_labels,
            transports=get_effective_transports(Transport.objects.visible_to(person), domain),
            **kwargs,
        )


def fetch_recent_lines(domain: Domain, person: Any) -> list[Log]:
    """Return the last log lines of a domain."""
    lines = rows_of_value(Log.objects.visible_to(person), "domain", domain.pk)
    return fetch_first_rows(Log, [lines], ("timestamp", "pk"), RECENT_LINES, ascending=False)
