"""The pages of messages to users: those that were sent, a new one, and how far it is."""

from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import DetailView, FormView, ListView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import SETTING_ROLES, RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.mails.models import OutgoingMail
from mailboxes.broadcasts.forms import BroadcastForm
from mailboxes.broadcasts.recipients import count_recipients
from mailboxes.models import Broadcast
from mailboxes.services.broadcasts import get_batch, start_broadcast, stop_broadcast

MAX_SHOWN = 50


class BroadcastMixin(RoleRequiredMixin):
    """A page for those who may send messages to users."""

    roles = Role.ADMINS

    def get_roles(self) -> Role:
        return self.roles & SETTING_ROLES[settings.MAILADMIN_BROADCAST]

    def get_queryset(self) -> QuerySet[Broadcast]:
        return Broadcast.objects.visible_to(self.principal)


class BroadcastListView(BroadcastMixin, ListView):
    """The latest messages, of all admins for superadmins."""

    template_name = "broadcasts/list.html"

    def get_queryset(self) -> QuerySet[Broadcast]:
        return super().get_queryset().defer("text").order_by("-pk")[:MAX_SHOWN]


class BroadcastCreateView(BroadcastMixin, FormView):
    """Write a message; it is sent after a look at it and at the number of its recipients."""

    form_class = BroadcastForm
    template_name = "broadcasts/create.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"actor": self.actor}

    def get_initial(self) -> dict[str, Any]:
        names = ("domains", "addresses")
        return {name: [text] for name in names if (text := self.request.GET.get(name))}

    def form_valid(self, form: BroadcastForm) -> HttpResponse:
        broadcast = form.build_broadcast()
        if "confirmed" in self.request.POST:
            sent = perform(self.actor, start_broadcast, broadcast)
            return redirect("broadcast", sent.pk)
        count = count_recipients(broadcast, self.principal)
        if "preview" not in self.request.POST or not count:
            return self.render_to_response(self.get_context_data(form=form, is_empty=not count))
        context = {"form": form, "broadcast": broadcast, "count": count}
        return self.render_to_response(self.get_context_data(**context))


class BroadcastDetailView(BroadcastMixin, DetailView):
    """One message: how many mails were sent, wait, or could not be delivered."""

    template_name = "broadcasts/detail.html"
    context_object_name = "broadcast"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mails = OutgoingMail.objects.filter(batch=get_batch(self.object.pk)).order_by()
        counted = dict(mails.values_list("state").annotate(Count("pk")))
        states = [(label, counted.get(value, 0)) for value, label in OutgoingMail.State.choices]
        waiting = sum(counted.get(state, 0) for state in OutgoingMail.unfinished_states())
        is_running = not self.object.stopped and (waiting or not self.object.is_complete)
        return super().get_context_data(states=states, is_running=is_running, **kwargs)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        perform(self.actor, stop_broadcast, self.get_object().pk)
        return redirect("broadcast", pk)
