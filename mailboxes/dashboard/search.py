"""The search of everything, and the page of one domain."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Subquery
from django.http import Http404
from django.views.generic import DetailView, TemplateView

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
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.models import Log
from mailadmin.db.pagination import fetch_first_rows
from mailadmin.tables.filters import search_rows
from mailadmin.tables.table import Table
from mailadmin.tables.views.detail import build_head_context
from mailboxes.dashboard.activity import RECENT_LINES, group_lines
from mailboxes.dashboard.commands import find_commands
from mailboxes.models import Alias, StandaloneAlias
from mailboxes.postfix.explain import annotate_alias_domain, explain_domain
from mailboxes.services import cached_stats, limits
from mailboxes.tables import with_usage

PREVIEW_ROW_LIMIT = 10
PALETTE_ROW_LIMIT = 5
MIN_PALETTE_LETTERS = 3


class SearchView(RoleRequiredMixin, TemplateView):
    """One box for everything the person may see."""

    roles = Role.ADMINS
    template_name = "search.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        text = self.request.GET.get("q", "").strip()
        person = self.request.user
        tables = [t for t in registry.menu() if t.is_searched and t.allows("list", person)]
        is_short = self.is_palette and len(text) < MIN_PALETTE_LETTERS
        found = [] if is_short else [self.search_table(table, text) for table in tables]
        commands = find_commands(person, text) if self.is_palette else []
        return super().get_context_data(
            q=text,
            found=[group for group in found if group["rows"]],
            commands=commands,
            **kwargs,
        )

    @property
    def is_palette(self) -> bool:
        """Return whether the command palette asks, which shows a part of the page."""
        return "HX-Request" in self.request.headers

    def get_template_names(self) -> list[str]:
        return ["search_palette.html" if self.is_palette else "search.html"]

    def search_table(self, table: Table, text: str) -> dict[str, Any]:
        """Return the first rows that match, and whether there are more."""
        person = self.request.user
        matching = search_rows(
            table.filter_searchable(table.queryset(person)), table.search_fields, text
        )
        parts = table.split_by_domain(matching, person)
        most = PALETTE_ROW_LIMIT if self.is_palette else PREVIEW_ROW_LIMIT
        rows = fetch_first_rows(table.model, parts, ("pk",), most + 1) if text else []
        return {
            "table": table,
            "rows": rows[:most],
            "more": len(rows) > most,
        }


class DomainDetailView(RoleRequiredMixin, DetailView):
    """One domain: its numbers against its limits, and what is in it."""

    roles = Role.ADMINS
    template_name = "domains/domain.html"

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
        mailboxes = with_usage(domain.mailbox_set.order_by("pk")[:PREVIEW_ROW_LIMIT])
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
            groups=group_lines(
                Log.objects.visible_to(person)
                .filter(domain=domain.pk)
                .order_by("-timestamp", "-pk")[:RECENT_LINES]
            ),
            verbs=registry.action_labels,
            transports=get_effective_transports(Transport.objects.visible_to(person), domain),
            **build_head_context(registry.tables["domains"], domain, person) | kwargs,
        )
