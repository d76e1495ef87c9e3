"""Pages that show both floors: home, search, one domain, the progress of a job."""

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
from domains.views import Admins, AliasDomains, Domains, Transports
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequired
from mailadmin.changes.log_page import VERBS, LogLines
from mailadmin.changes.models import Log
from mailadmin.db.pagination import first_rows
from mailadmin.tables import search
from mailboxes.dashboard import cache
from mailboxes.models import LoneAlias
from mailboxes.postfix.explain import explain_domain, with_mirror
from mailboxes.services import limits
from mailboxes.views import Aliases, Mailboxes, with_usage

SHOWN = 10


class Search(RoleRequired, TemplateView):
    """One box for everything the person may see."""

    roles = Role.ADMINS
    template_name = "search.html"
    cruds = (Domains, AliasDomains, Mailboxes, Aliases, Transports, Admins)

    def get_context_data(self, **kwargs):
        text = self.request.GET.get("q", "").strip()
        found = [
            self._found(crud, text) for crud in self.cruds if crud.may("list", self.request.user)
        ]
        return super().get_context_data(
            q=text, found=[group for group in found if group["rows"]], **kwargs
        )

    def _found(self, crud, text):
        rows = crud.found(crud.model._default_manager.visible_to(self.request.user))
        parts = crud.by_domain(search(rows, crud.search_fields, text), self.request.user)
        rows = first_rows(crud.model, parts, ("pk",), SHOWN + 1) if text else []
        return {"crud": crud, "rows": rows[:SHOWN], "more": len(rows) > SHOWN}


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
        known = LoneAlias.scoped.in_order().filter(domain=domain).select_related("alias")
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


CRUDS = (Domains, AliasDomains, Mailboxes, Aliases, Transports, Admins, LogLines)
