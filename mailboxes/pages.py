"""Pages that show both floors: home, search, one domain, the progress of a job."""

import datetime
from collections import Counter

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import TruncDate
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.generic import DetailView, ListView, TemplateView, View

from domains.models import (
    ALL,
    AliasDomain,
    Domain,
    DomainAdmin,
    DomainState,
    Transport,
    either_end,
)
from domains.transports import in_force
from domains.views import Admins, AliasDomains, Domains, Transports
from mailadmin.auth import RoleRequired
from mailadmin.crud import search
from mailadmin.history import VERBS, LogLines
from mailadmin.jobs import dismiss, retry
from mailadmin.models import Job, Log, Role
from mailadmin.writes import perform
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.own import own_home
from mailboxes.views import Aliases, Mailboxes, with_usage

NEAR = 0.9  # so full is worth a look
SHOWN = 10
DAYS = 30


class Home(RoleRequired, View):
    roles = Role.ANYONE

    def get(self, request):
        if request.user.role is Role.MAILBOX:
            return own_home(request)
        context = {
            "totals": totals(request.user),
            "attention": attention(request.user),
            "days": changes_by_day(request.user),
            "lines": Log.objects.visible_to(request.user).order_by("-pk")[:SHOWN],
            "failed_jobs": own_jobs(request.user)
            .filter(state=Job.State.FAILED)
            .order_by("-pk")[:3],
            "verbs": VERBS,
        }
        return render(request, "home.html", context)


def states_of(principal):
    states = DomainState.objects.exclude(domain=ALL)
    if principal.role is Role.SUPERADMIN:
        return states
    return states.filter(pk__in=principal.managed_domains())


def totals(principal):
    """How much there is, from the domains' tallies: nothing is counted for a page."""
    return states_of(principal).aggregate(
        domains=Count("pk"),
        mailboxes=Sum("mailboxes", default=0),
        aliases=Sum("aliases", default=0),
        quota_assigned=Sum("quota_assigned", default=0),
        quota_used=Sum("quota_used", default=0),
    )


def attention(principal):
    """Domains near a limit, mailboxes near their quota, and what is switched off."""
    domains = [state.domain for state in domains_to_look_at(principal)]
    return {
        "full_domains": [domain for domain in domains if domain.active],
        "inactive_domains": [domain for domain in domains if not domain.active],
        "full_mailboxes": full_mailboxes(principal),
        "inactive_mailboxes": list(
            Mailbox.objects.visible_to(principal).filter(active=False).order_by("pk")[:SHOWN]
        ),
    }


def domains_to_look_at(principal):
    quota = F("domain__quota") * settings.MAILADMIN_QUOTA_MULTIPLIER
    full = (
        Q(domain__mailboxes__gt=0, mailboxes__gte=F("domain__mailboxes") * NEAR)
        | Q(domain__aliases__gt=0, aliases__gte=F("domain__aliases") * NEAR)
        | Q(domain__quota__gt=0, quota_assigned__gte=quota * NEAR)
    )
    states = states_of(principal).filter(full | Q(domain__active=False))
    return states.select_related("domain").order_by("pk")[:SHOWN]


def full_mailboxes(principal):
    """Those whose mail takes nearly all of their quota, fullest first."""
    full = (
        Usage.objects.filter(mailbox__quota__gt=0, bytes__gte=F("mailbox__quota") * NEAR)
        .select_related("mailbox")
        .order_by("-bytes")
    )
    if principal.role is Role.ADMIN:
        full = full.filter(mailbox__domain__in=principal.managed_domains())
    return list(full[:SHOWN])


def changes_by_day(principal):
    """(day, number of log lines) of the last thirty days."""
    today = timezone.localdate()
    start = today - datetime.timedelta(days=DAYS - 1)
    first = timezone.make_aware(datetime.datetime.combine(start, datetime.time()))
    lines = Log.objects.visible_to(principal).filter(timestamp__gte=first)
    by_day = lines.values(day=TruncDate("timestamp")).annotate(count=Count("*")).order_by()
    counted = Counter({row["day"]: row["count"] for row in by_day})
    days = [start + datetime.timedelta(days=n) for n in range(DAYS)]
    most = max(counted.values(), default=0) or 1
    return [bar(day, counted[day], most) for day in days]


def bar(day, count, most):
    """A day of the picture: even an empty one shows a line."""
    height = max(2, round(100 * count / most))
    return {"day": day, "count": count, "height": height, "top": 100 - height}


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
        rows = (
            list(search(rows, crud.search_fields, text).order_by("pk")[: SHOWN + 1]) if text else []
        )
        return {"crud": crud, "rows": rows[:SHOWN], "more": len(rows) > SHOWN}


class DomainPage(RoleRequired, DetailView):
    """One domain: its numbers against its limits, and what is in it."""

    roles = Role.ADMINS
    template_name = "domains/domain.html"

    def get_object(self):
        domains = Domain.objects.visible_to(self.request.user).select_related("state")
        domain = domains.filter(pk=self.kwargs["key"]).first()
        if domain is None:
            raise Http404
        if not hasattr(domain, "state"):
            domain.state = DomainState(domain_id=domain.pk)
        return domain

    def get_context_data(self, **kwargs):
        domain, person = self.object, self.request.user
        mailboxes = with_usage(domain.mailbox_set.order_by("pk")[:SHOWN])
        aliases = Alias.objects.filter(domain=domain).exclude(
            pk__in=Mailbox.objects.filter(domain=domain).values("pk")
        )
        admins = DomainAdmin.objects.filter(domain=domain, active=True).order_by("admin_id")
        return super().get_context_data(
            mailboxes=mailboxes,
            aliases=aliases.order_by("pk")[:SHOWN],
            mirrors=AliasDomain.objects.visible_to(person).filter(either_end([domain.pk])),
            admins=dict.fromkeys(admins.values_list("admin_id", flat=True)),
            lines=Log.objects.visible_to(person).filter(domain=domain.pk).order_by("-pk")[:SHOWN],
            verbs=VERBS,
            transports=in_force(Transport.objects.visible_to(person), domain),
            **kwargs,
        )


def own_jobs(principal):
    jobs = Job.objects.exclude(state=Job.State.DRAFT)
    if principal.role is Role.SUPERADMIN:
        return jobs
    return jobs.filter(owner_model=principal.model_label, owner_key=principal.pk)


class JobPage(RoleRequired, DetailView):
    """How far a job is; reloads itself until it is over."""

    roles = Role.ADMINS
    template_name = "job.html"
    context_object_name = "job"

    def get_queryset(self):
        return own_jobs(self.request.user)

    def post(self, request, pk):
        job = self.get_object()
        if request.POST.get("action") == "retry":
            perform(self.actor, retry, job.pk)
            return redirect("job", job.pk)
        perform(self.actor, dismiss, job.pk)
        return redirect("jobs")


class Jobs(RoleRequired, ListView):
    roles = Role.ADMINS
    template_name = "jobs.html"
    context_object_name = "jobs"

    def get_queryset(self):
        return own_jobs(self.request.user).defer("arguments").order_by("-pk")[:50]


CRUDS = (Domains, AliasDomains, Mailboxes, Aliases, Transports, Admins, LogLines)
