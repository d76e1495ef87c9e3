"""The page of an admin or a mailbox: what they sign in by, and the actions on that."""

from typing import Any

from django.views.generic import View

from mailadmin.accounts.factors.models import Passkey
from mailadmin.accounts.password_requests import REQUEST_PASSWORD, find_open_request
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.accounts.recovery.invitations import has_no_password, is_invited
from mailadmin.tables.views.base import TableView
from mailadmin.tables.views.detail import TableDetailView


class PersonDetailView(TableDetailView):
    """The page of an admin or a mailbox, with what they sign in by."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            passkey_count=Passkey.objects.owned_by(self.object).count(),
            has_no_password=has_no_password(self.object),
            is_invited=is_invited(self.object),
            password_request=find_open_request(self.object),
            request_action=REQUEST_PASSWORD,
            **kwargs,
        )


class PersonActionView(RecentProofMixin, TableView, View):
    """An action on the account of a person, which returns to their page."""

    screen = "edit"
    http_method_names = ["post"]

    def get_page_after_proof(self) -> str:
        return self.table.row_url(self.kwargs["key"])
