"""The pages of one mailbox and of one alias, and what they load after they are shown."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import Http404
from django.utils.functional import cached_property
from django.views.generic import TemplateView

from domains.models import Domain
from mailadmin.accounts.models import Role, visible_rows
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.person_views import PersonDetailView
from mailadmin.tables.views.detail import TableDetailView, TableReadyView
from mailboxes.client_setup.servers import get_client_servers
from mailboxes.last_logins import find_last_logins
from mailboxes.models import Alias, Mailbox, Usage
from mailboxes.postfix.explain import explain
from mailboxes.postfix.explain.messages import format_headline
from mailboxes.postfix.explain.senders import explain_senders
from mailboxes.postfix.explain.sentences import format_sentences
from mailboxes.postfix.routing import build_panel_config
from mailboxes.services.references import MAX_REFERENCES, find_aliases_pointing_to
from mailboxes.services.sender_addresses import find_permissions, find_sender_aliases
from mailboxes.tables import AliasTable, MailboxTable
from mailboxes.welcome_mail import find_welcome_mail

MAX_LOOKUPS = 200  # of the route of an address; the page Explain makes more
MAX_SHOWN_ROWS = 20


class MailboxDetailView(PersonDetailView):
    table = MailboxTable()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        mailbox = self.object
        usage = Usage.objects.filter(pk=mailbox.pk).first()
        return super().get_context_data(
            used=usage.bytes if usage else 0,
            messages_count=usage.messages if usage else None,
            last_logins=find_last_logins(mailbox) if settings.MAILADMIN_LAST_LOGIN_DAYS else None,
            **kwargs,
        )


class MailboxReadyView(TableReadyView):
    """What to hand over to the owner, and what became of the welcome mail to a new mailbox."""

    table = MailboxTable()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            mail_servers=get_client_servers(self.object.domain_id),
            welcome=find_welcome_mail(self.request.user, self.object),
            **kwargs,
        )


class AliasDetailView(TableDetailView):
    table = AliasTable()


class AddressMixin(RoleRequiredMixin):
    """A part of the page of an address, loaded after the page: it takes longer than a page may."""

    roles = Role.ADMINS
    kwargs: dict[str, Any]

    @cached_property
    def address(self) -> str:
        """Return the address of a mailbox or alias in scope."""
        for model in (Mailbox, Alias):
            if visible_rows(model, self.principal).filter(pk=self.kwargs["key"]).exists():
                return self.kwargs["key"]
        raise Http404


class AddressRouteView(AddressMixin, TemplateView):
    """Where mail for an address goes, in a few sentences."""

    template_name = "mailboxes/route.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            config = build_panel_config(max_lookups=MAX_LOOKUPS)
            explanation = explain(self.principal, self.address, config=config)
        except ValidationError as error:
            return super().get_context_data(errors=error.messages, **kwargs)
        sentences = (
            format_headline(explanation)
            if explanation["trouble"]
            else format_sentences(explanation)
        )
        return super().get_context_data(explanation=explanation, sentences=sentences, **kwargs)


class AddressSendersView(AddressMixin, TemplateView):
    """Who may send as an address; for a mailbox also, as which others it may send.

    Of `@domain`, who may send as any address of the domain.
    """

    template_name = "mailboxes/senders.html"

    @cached_property
    def address(self) -> str:
        at, domain = self.kwargs["key"][:1], self.kwargs["key"][1:]
        if at == "@" and visible_rows(Domain, self.principal).filter(pk=domain).exists():
            return self.kwargs["key"]
        return super().address

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        principal, address = self.principal, self.address
        mailbox = visible_rows(Mailbox, principal).filter(pk=address).first()
        return super().get_context_data(
            address=address,
            mailbox=mailbox,
            permissions=find_permissions(principal, mailbox) if mailbox else [],
            aliases=find_sender_aliases(principal, address) if mailbox else [],
            explanation=explain_senders(principal, address),
            **kwargs,
        )


class AddressReferencesView(AddressMixin, TemplateView):
    """The aliases that forward to an address: there may be many."""

    template_name = "mailboxes/references.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = find_aliases_pointing_to(self.principal, [self.address.lower()])
        return super().get_context_data(
            references=found[:MAX_SHOWN_ROWS],
            more_references=max(0, len(found) - MAX_SHOWN_ROWS),
            is_truncated=len(found) >= MAX_REFERENCES,
            **kwargs,
        )
