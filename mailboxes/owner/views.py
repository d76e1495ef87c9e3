"""The pages of the signed-in person about themselves: no URL names a person."""

import datetime
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.generic import FormView, TemplateView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.views import ThrottledFormMixin
from mailadmin.changes.models import Log
from mailadmin.db.fields import is_known_date
from mailadmin.motd import get_motd
from mailadmin.tables.views.base import SaveFormMixin
from mailboxes.client_setup.servers import get_client_servers
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.owner.forms import PasswordChangeForm
from mailboxes.services.sender_addresses import find_own_addresses
from mailboxes.views import ForwardingView, MailboxFormView, VacationView


def get_signed_in_mailbox(request: HttpRequest) -> Mailbox:
    """Return the mailbox whose owner is signed in: only they open these pages."""
    return cast(Mailbox, request.user)


class OwnFormMixin(MailboxFormView):
    """A form about the mailbox of the signed-in person."""

    roles = Role.MAILBOX
    template_name = "mailboxes/own_form.html"

    @property
    def mailbox(self) -> Mailbox:
        return get_signed_in_mailbox(self.request)

    def get_head_context(self) -> dict[str, Any]:
        return {}


class OwnForwardingView(OwnFormMixin, ForwardingView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.MAILADMIN_EDIT_ALIAS:
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)


class OwnVacationView(OwnFormMixin, VacationView):
    pass


class OwnPasswordView(ThrottledFormMixin, SaveFormMixin, FormView):
    roles = Role.ANYONE
    form_class = PasswordChangeForm
    template_name = "account/password.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def get_success_text(self) -> str:
        return _("Your password was changed.")

    def get_success_url(self) -> str:
        return reverse("home")


class AccountView(RoleRequiredMixin, TemplateView):
    roles = Role.ANYONE
    template_name = "account/account.html"


def get_password_changed_at(mailbox: Mailbox) -> datetime.datetime | None:
    """Return when the password was last changed, as far as the log knows."""
    lines = Log.objects.filter(domain=mailbox.domain_id, action="edit_password", data=mailbox.pk)
    # Not the last line in order of time: the database would search the whole domain's lines for it.
    last: datetime.datetime | None = lines.aggregate(last=Max("timestamp"))["last"]
    return last or (mailbox.created if is_known_date(mailbox.created) else None)


def render_owner_home(request: HttpRequest) -> HttpResponse:
    """Return the first page of a mailbox owner: space used, forwarding, vacation reply."""
    mailbox = get_signed_in_mailbox(request)
    usage = Usage.objects.filter(pk=mailbox.pk).first()
    alias = Alias.objects.filter(pk=mailbox.pk).first()
    vacation = Vacation.objects.filter(pk=mailbox.pk).first()
    context = {
        "mailbox": mailbox,
        "motd": get_motd(mailbox.role),
        "used": usage.bytes if usage else 0,
        "messages_count": usage.messages if usage else 0,
        "targets": alias.others if alias else [],
        "keeps_copy": alias is None or alias.keeps_copy,
        "is_answered_only": alias is not None and alias.is_autoreply_only,
        "vacation": vacation,
        "away": vacation.status if vacation else "",
        "password_set": get_password_changed_at(mailbox),
        "sender_addresses": find_own_addresses(mailbox),
        "mail_servers": get_client_servers(mailbox.domain_id),
    }
    return render(request, "account/home.html", context)
