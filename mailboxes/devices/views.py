"""Set up a device, as the owner of a mailbox or by a link."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import ProofToSaveMixin
from mailadmin.accounts.views import BaseLoginView
from mailadmin.changes.perform import Actor
from mailboxes.client_setup.mobileconfig import CONTENT_TYPE
from mailboxes.devices.forms import DeviceForm
from mailboxes.devices.setup import build_requested_profile
from mailboxes.models import DeviceLink
from mailboxes.owner.views import OwnFormMixin
from mailboxes.services.device_links import find_open_link

CODE_KEY = "mailadmin_device_link"  # the code of a link, in the data of a session


class OwnDeviceView(ProofToSaveMixin, OwnFormMixin):
    """Choose a device; the response shows its app password, once, and how to enter it."""

    form_class = DeviceForm
    template_name = "devices/own.html"
    title = gettext_lazy("Set up a device")

    def form_valid(self, form: DeviceForm) -> HttpResponse:
        setup = form.save()
        if setup is None:
            return self.form_invalid(form)
        return self.render_to_response(self.get_context_data(form=form, setup=setup))


@method_decorator(login_not_required, name="dispatch")
class DeviceLinkView(View):
    """Open a link: its code moves into the session, out of the address of the page.

    Opening it changes nothing, as mail servers and browsers look at links as well.
    """

    roles = Role.ANYONE
    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        if find_open_link(code) is None:
            request.session.pop(CODE_KEY, None)
        else:
            request.session[CODE_KEY] = code
        return redirect("device")


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class LinkedDeviceView(BaseLoginView):
    """Set up a device by the link that was opened in this browser, which ends the link."""

    form_class = DeviceForm
    template_name = "devices/by_link.html"

    link: DeviceLink

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        link = find_open_link(request.session.get(CODE_KEY, ""))
        if link is None:
            return render(request, "devices/invalid_link.html", status=410)
        self.link = link
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        mailbox = self.link.mailbox
        actor = Actor.of_person(self.request, mailbox)
        return super().get_form_kwargs() | {"actor": actor, "mailbox": mailbox, "link": self.link}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(mailbox=self.link.mailbox, **kwargs)

    def form_valid(self, form: DeviceForm) -> HttpResponse:
        setup = form.save()
        if setup is None:
            return self.form_invalid(form)
        self.request.session.pop(CODE_KEY, None)
        return self.render_to_response(self.get_context_data(form=form, setup=setup))

    def form_invalid(self, form: DeviceForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class DeviceProfileView(View):
    """The profile with the app password inside, for Apple's devices.

    The form that asks for it is on the page that shows the app password: nothing is stored.
    """

    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        profile = build_requested_profile(request.POST.get("profile", ""))
        if profile is None:
            return render(request, "devices/expired_profile.html", status=410)
        return HttpResponse(
            profile,
            content_type=CONTENT_TYPE,
            headers={"Content-Disposition": 'attachment; filename="mail.mobileconfig"'},
        )
