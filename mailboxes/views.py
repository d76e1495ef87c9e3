"""Pages of one mailbox: forwarding, vacation; how large a mailbox may be."""

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, View

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.names import try_normalize_domain
from mailadmin.tables.views.base import SaveFormMixin
from mailadmin.tables.views.detail import build_head_context
from mailadmin.tables.views.list import PickerView
from mailboxes.models import Mailbox
from mailboxes.owner.forms import ForwardingForm
from mailboxes.quota_hints import QuotaHint, build_limit_notice
from mailboxes.services.target_checks import find_alias_warnings
from mailboxes.tables import MailboxTable
from mailboxes.vacations.access import get_vacation_roles
from mailboxes.vacations.forms import VacationForm


class QuotaHintView(RoleRequiredMixin, View):
    """How large a mailbox may be, for the form once a domain is selected."""

    roles = Role.ADMINS

    def get(self, request: HttpRequest) -> HttpResponse:
        domain = find_chosen_domain(request)
        hint = QuotaHint(domain, principal=self.principal)
        context = {"help_text": hint.help_text, "notice": build_limit_notice(domain, "mailboxes")}
        response = render(request, "mailboxes/quota_hint.html", context)
        suggestion = "" if hint.suggestion is None else hint.suggestion
        response["HX-Trigger"] = json.dumps({"suggestedquota": suggestion})
        return response


class MailboxPickerView(PickerView):
    """Mailboxes that start with what is typed, for a form field."""

    model = Mailbox
    field_names = ("mailbox",)


class AliasLimitView(RoleRequiredMixin, View):
    """Whether a domain has reached its limit of aliases, for the form once it is selected."""

    roles = Role.ADMINS

    def get(self, request: HttpRequest) -> HttpResponse:
        notice = build_limit_notice(find_chosen_domain(request), "aliases")
        return render(request, "mailboxes/limit_notice.html", {"notice": notice})


def find_chosen_domain(request: HttpRequest) -> Domain | None:
    """Return the domain that the request names, if it is in scope."""
    name = try_normalize_domain(request.GET.get("domain", ""))
    return Domain.objects.visible_to(request.user).filter(pk=name).first()


class MailboxFormView(SaveFormMixin, FormView):
    """A form about one mailbox, for its owner or for an admin."""

    roles = Role.ADMINS
    template_name = "mailboxes/mailbox_form.html"
    title: str | Promise = ""
    tab = ""
    saved_text: str | Promise = ""

    @cached_property
    def mailbox(self) -> Mailbox:
        mailbox = (
            Mailbox.objects.visible_to(self.request.user).filter(pk=self.kwargs["key"]).first()
        )
        if mailbox is None:
            raise Http404
        return mailbox

    def get_form_kwargs(self) -> dict[str, Any]:
        kwargs = super().get_form_kwargs()
        kwargs.pop("initial")
        return kwargs | {"mailbox": self.mailbox}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            title=self.title, tab=self.tab, **self.get_head_context(), **kwargs
        )

    def get_head_context(self) -> dict[str, Any]:
        return build_head_context(MailboxTable(), self.mailbox, self.principal)

    def get_success_text(self) -> str:
        return str(self.saved_text)

    def get_success_url(self) -> str:
        return self.request.path


class ForwardingView(MailboxFormView):
    form_class = ForwardingForm
    tab = "forwarding"

    def get_warning_texts(self) -> list[str]:
        alias = self.saved_object
        return find_alias_warnings(self.request.user, [alias]).get(alias.pk, [])

    title = gettext_lazy("Forwarding")
    saved_text = gettext_lazy("The forwarding was saved.")


class VacationView(MailboxFormView):
    form_class = VacationForm
    tab = "vacation"
    title = gettext_lazy("Vacation reply")
    saved_text = gettext_lazy("The vacation reply was saved.")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if self.principal.role not in get_vacation_roles():
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)
