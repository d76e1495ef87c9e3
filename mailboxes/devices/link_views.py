"""The links to set up a device: of a mailbox, for its admins, and of the signed-in owner."""

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.accounts.proof import ProofToSaveMixin
from mailadmin.changes.perform import perform
from mailadmin.qr_codes import draw_qr_code
from mailboxes.devices.forms import DeviceLinkForm, OwnDeviceLinkForm
from mailboxes.models import DeviceLink
from mailboxes.owner.views import OwnFormMixin
from mailboxes.services.device_links import (
    HANDED_OVER_LIFETIME,
    OWN_LIFETIME,
    revoke_device_links,
)
from mailboxes.views import MailboxFormView


class ListedLink(NamedTuple):
    """A link as the pages show it."""

    link: DeviceLink
    revoke_url: str


class DeviceLinkListView(ProofToSaveMixin, MailboxFormView):
    """The open links of a mailbox, and a form for a new one; only its response shows it."""

    form_class: type[OwnDeviceLinkForm] = DeviceLinkForm
    template_name = "devices/links.html"
    tab = "app-passwords"
    title = gettext_lazy("Set up a device by a link")
    lifetime = HANDED_OVER_LIFETIME

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"lifetime": self.lifetime}

    def get_revoke_url(self, number: int) -> str:
        return reverse("mailbox-device-link-revoke", args=[self.mailbox.pk, number])

    def list_links(self) -> list[ListedLink]:
        """Return the links that can still be used, the newest first."""
        links = DeviceLink.objects.filter(mailbox=self.mailbox.pk, expires__gt=timezone.now())
        return [ListedLink(row, self.get_revoke_url(row.pk)) for row in links.order_by("-pk")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(links=self.list_links(), **kwargs)

    def form_valid(self, form: OwnDeviceLinkForm) -> HttpResponse:
        link = form.save()
        if link is None:
            return self.form_invalid(form)
        context = self.get_context_data(
            new_url=link.url,
            new_expires=link.expires,
            sent_to=form.cleaned_data.get("send_to", ""),
            qr=draw_qr_code(link.url),
        )
        return self.render_to_response(context)


class DeviceLinkRevokeView(MailboxFormView):
    """Revoke a link of a mailbox."""

    http_method_names = ["post"]

    def get_list_url(self) -> str:
        return reverse("mailbox-device-links", args=[self.mailbox.pk])

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        own = DeviceLink.objects.filter(mailbox=self.mailbox.pk)
        if not own.filter(pk=kwargs["pk"]).exists():
            raise Http404
        perform(self.actor, revoke_device_links, [kwargs["pk"]])
        messages.success(request, _("The link was revoked."))
        return redirect(self.get_list_url())


class OwnDeviceLinkListView(OwnFormMixin, DeviceLinkListView):
    """The links for other devices of the signed-in owner."""

    form_class = OwnDeviceLinkForm
    template_name = "devices/own_links.html"
    title = gettext_lazy("Continue on another device")
    lifetime = OWN_LIFETIME

    def get_revoke_url(self, number: int) -> str:
        return reverse("own-device-link-revoke", args=[number])


class OwnDeviceLinkRevokeView(OwnFormMixin, DeviceLinkRevokeView):
    """Revoke a link of the signed-in owner."""

    def get_list_url(self) -> str:
        return reverse("own-device-links")
