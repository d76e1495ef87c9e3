"""Invitations on the pages of mailboxes and admins: send one again, revoke it."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from mailadmin.accounts.person_views import PersonActionView
from mailadmin.accounts.recovery.invitation_forms import InvitationField
from mailadmin.accounts.recovery.invitations import invite_again, keep_link, revoke_invitation
from mailadmin.changes.perform import perform
from mailadmin.formatting import key_url
from mailadmin.tables.views.base import show_errors


class InvitationView(PersonActionView):
    """Send another link to a person without a password, or revoke the one that was sent."""

    def post(self, request: HttpRequest, key: str) -> HttpResponse:
        person = self.get_object()
        try:
            if "revoke" in request.POST:
                return self.revoke(person)
            return self.send(person, InvitationField().clean(request.POST.get("invitation_to", "")))
        except ValidationError as error:
            show_errors(request, error)
        return redirect(self.table.row_url(person.pk))

    def revoke(self, person: Any) -> HttpResponse:
        perform(self.actor, revoke_invitation, self.table.model, person.pk)
        messages.success(self.request, _("The invitation was revoked."))
        return redirect(self.table.row_url(person.pk))

    def send(self, person: Any, address: str) -> HttpResponse:
        if not address:
            raise ValidationError(_("Enter the address that the invitation is sent to."))
        invited = perform(self.actor, invite_again, self.table.model, person.pk, address)
        keep_link(self.request, invited)
        messages.success(self.request, _("An invitation was sent to %(to)s.") % {"to": address})
        return redirect(key_url(self.table.ready_url_name, person.pk))
