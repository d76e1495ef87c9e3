"""The pages of one mailbox and of one alias, and what they load after they are shown."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils.functional import cached_property
from django.views.generic import TemplateView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.tables.views.detail import TableDetailView
from mailboxes.models import Alias, Mailbox, Usage, Vacation
from mailboxes.owner.views import get_vacation_status
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_delivery
from mailboxes.postfix.routing import build_panel_config
from mailboxes.services.references import find_aliases_pointing_to
from mailboxes.tables import AliasTable, MailboxTable

MAX_LOOKUPS = 2000  # takes a second or two
MAX_SHOWN_REFERENCES = 20


class MailboxDetailView(TableDetailView):
    table = MailboxTable()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailbox = self.object
        usage = Usage.objects.filter(pk=mailbox.pk).first()
        vacation = Vacation.objects.filter(pk=mailbox.pk).first()
        return super().get_context_data(
            used=usage.bytes if usage else 0,
            messages_count=usage.messages if usage else None,
            alias=Alias.objects.filter(pk=mailbox.pk).first(),
            vacation=vacation,
            away=get_vacation_status(vacation),
            **kwargs,
        )


class MailboxReadyView(MailboxDetailView):
    """What to hand over to the owner of a new mailbox."""

    def get_template_names(self) -> list[str]:
        return ["mailboxes/mailbox_ready.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            mail_host=settings.MAILADMIN_MAIL_HOST, panel_url=settings.MAILADMIN_URL, **kwargs
        )


class AliasDetailView(TableDetailView):
    table = AliasTable()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_mailbox = Mailbox.objects.filter(pk=self.object.pk).exists()
        return super().get_context_data(has_mailbox=has_mailbox, **kwargs)


class AddressRouteView(RoleRequiredMixin, TemplateView):
    """Where mail for an address goes, and which aliases point to it.

    Both ask more of the database than a page should, so the page loads them when it is shown.
    """

    roles = Role.ADMINS
    template_name = "mailboxes/route.html"

    @cached_property
    def explanation(self) -> dict[str, Any]:
        try:
            config = build_panel_config(max_lookups=MAX_LOOKUPS)
            return explain(self.principal, self.kwargs["key"], config=config)
        except ValidationError as error:
            raise Http404 from error

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        deliveries = self.explanation["deliveries"]
        references = find_aliases_pointing_to(self.principal, [self.kwargs["key"].lower()])
        return super().get_context_data(
            explanation=self.explanation,
            deliveries=[format_delivery(each) for each in deliveries[:MAX_SHOWN_REFERENCES]],
            references=references[:MAX_SHOWN_REFERENCES],
            more_references=max(0, len(references) - MAX_SHOWN_REFERENCES),
            **kwargs,
        )
