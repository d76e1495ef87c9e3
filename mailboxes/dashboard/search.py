"""Pages that show both floors: home, search, one domain, the progress of a job."""

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
    either_end,
)
from domains.services.transports import in_force, way_of, with_ways
from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.log_page import VERBS
from mailadmin.changes.models import Log
from mailadmin.db.pagination import first_rows
from mailadmin.tables.filters import search_rows
from mailadmin.tables.table import Table
from mailboxes.dashboard import cache
from mailboxes.models import StandaloneAlias
from mailboxes.postfix.explain import explain_domain, with_mirror
from mailboxes.services import limits
from mailboxes.tables import with_usage

SHOWN = 10


class Search(RoleRequired, TemplateView):
    """One box for everything the person may see."""

    roles = Role.ADMINS
    template_name = "search.html"

    def get_context_data(self, **kwargs):
        text = self.request.GET.get("q", "").strip()
        person = self.request.user
        tables = [t for t in registry.menu() if t.is_searched and t.allows("list", person)]
        found = [self.search_table(table, text) for table in tables]
        return super().get_context_data(
            q=text, found=[group for group in found if group["rows"]], **kwargs
        )

    def search_table(self, table: Table, text: str) -> dict[str, Any]:
        """Return the first rows that match, and whether there are more."""
        person = self.request.user
        rows = search_rows(
            table.filter_searchable(table.queryset(person)), table.search_fields, text
        )
        parts = table.split_by_domain(rows, person)
        rows = first_rows(table.model, parts, ("pk",), SHOWN + 1) if text else []
        return {"table": table, "rows": rows[:SHOWN], "more": len(rows) > SHOWN}


class DomainPage(RoleRequired, DetailView):
    """One domain: its numbers against its limits, and what is in it."""

    roles = Role.ADMINS
    template_name = "domains/domain.html"

    def get_object(self):
        domains = Domain.objects.visible_to(self.request.user).select_related("state")
        domains = domains.annotate(counted=Subquery(cache.moments().values("number")))
        domains = with_mirror(with_ways(domains, self.kwargs["key"]), self.kwargs["key"])
        domain = domains.filter(pk=self.kwargs["key"]).first()
        if domain is None:
            raise Http404
        if not hasattr(domain, "state"):
            domain.state = DomainState(domain_id=domain.pk)
        return domain

    def aliases(self, domain):
        """The first of those that belong to no mailbox; among many mailboxes by what is kept."""
        if not domain.counted or domain.state.mailboxes <= limits.SMALL:
            return domain.alias_set.without_mailbox().order_by("pk")[:SHOWN]
        known = StandaloneAlias.scoped.in_order().filter(domain=domain).select_related("alias")
        return [note.alias for note in known.order_by("pk")[:SHOWN]]

    def get_context_data(self, **kwargs):
        domain, person = self.object, self.request.user
        outcome, says = explain_domain(domain, way_of(domain))
        mailboxes = with_usage(domain.mailbox_set.order_by("pk")[:SHOWN])
        admins = DomainAdmin.objects.filter(domain=domain, active=True).order_by("admin_id")
        return super().get_context_data(
            mailboxes=mailboxes,
            aliases=self.aliases(domain),
            outcome=outcome,
            says=says,
            mirrors=AliasDomain.objects.visible_to(person).filter(either_end([domain.pk])),
            admins=dict.fromkeys(admins.values_list("admin_id", flat=True)),
            lines=Log.objects.visible_to(person)
            .filter(domain=domain.pk)
            .order_by("-timestamp", "-pk")[:SHOWN],
            verbs=VERBS,
            transports=in_force(Transport.objects.visible_to(person), domain),
            **kwargs,
        )
