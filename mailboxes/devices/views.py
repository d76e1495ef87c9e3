"""Set up a device, as the owner of a mailbox or by a link."""

from dataclasses import replace
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from mailadmin.accounts.code_links import CodeLinkView, get_opened_code
from mailadmin.accounts.models import Role
from mailadmin.accounts.proof import ProofToSaveMixin
from mailadmin.accounts.recovery.policy import has_links
from mailadmin.accounts.views import BaseLoginView
from mailadmin.changes.perform import Actor
from mailboxes.client_setup.views import build_profile_response
from mailboxes.devices.forms import DeviceForm
from mailboxes.devices.setup import build_requested_profile
from mailboxes.models import DeviceLink
from mailboxes.owner.views import OwnFormMixin
from mailboxes.services.device_links import find_open_link

CODE_KEY = "mailadmin_device_link"  # of the code of a link, in the data of a session


class OwnDeviceView(ProofToSaveMixin, OwnFormMixin):
    """Choose a device; the response shows its app password, once, and how to enter it."""

    form_class = DeviceForm
    template_name = "devices/own.html"
    title = gettext_lazy("Set up a device")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(has_links=has_links(), **kwargs)

    def form_valid(self, form: DeviceForm) -> HttpResponse:
        setup = form.save()
        if setup is None:
            return self.form_invalid(form)
        return self.render_to_response(self.get_context_data(form=form, setup=setup))


class DeviceLinkView(CodeLinkView):
    session_key = CODE_KEY
    page = "device"

    def is_open(self, code: str) -> bool:
        return find_open_link(code) is not None


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class LinkedDeviceView(BaseLoginView):
    """Set up a device by the link that was opened in this browser, which ends the link."""

    form_class = DeviceForm
    template_name = "devices/by_link.html"

    link: DeviceLink

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        link = find_open_link(get_opened_code(request, CODE_KEY))
        # The page may be that of another link, which was opened in this browser before.
        if link is None or request.POST.get("link", str(link.pk)) != str(link.pk):
            return render(request, "devices/invalid_link.html", status=410)
        self.link = link
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        mailbox = self.link.mailbox
        actor = replace(
            Actor.of_person(self.request, mailbox), name=f"link of {self.link.created_by}"
        )
        return super().get_form_kwargs() | {"actor": actor, "mailbox": mailbox, "link": self.link}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(mailbox=self.link.mailbox, link=self.link, **kwargs)

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
        return build_profile_response(profile)
