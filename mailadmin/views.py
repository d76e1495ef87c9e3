"""The door (login, code, logout), the health of the panel, and its error pages."""

import logging
import sys
import time

from django.conf import settings
from django.contrib.auth import authenticate, load_backend, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from mailadmin import __version__
from mailadmin.accounts.throttling import TooManyFailures, log_failure
from mailadmin.auth import (
    account_of,
    begin_attempt,
    begin_attempt_of,
    code_is_right,
    rehash,
)
from mailadmin.db.checks import tables_without_transactions, what_is_missing
from mailadmin.forms import CodeForm, LoginForm
from mailadmin.models import Role
from mailadmin.outages import OUTAGES, RETRY_AFTER, outage_kind

logger = logging.getLogger("mailadmin.views")

PENDING = "mailadmin_pending"
PENDING_SECONDS = 300


class PrivateMiddleware:
    """No page of the panel stays in a cache, the browser's included: not after signing out."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        patch_cache_control(response, private=True, no_store=True)
        return response


def panel(request):
    """What every page shows: the menu of this person's role, the version."""
    person = getattr(request, "user", None)
    role = getattr(person, "role", None)
    menu = import_string(f"{settings.ROOT_URLCONF}.MENU") if role else []
    return {
        "menu": [entry for entry in menu if entry.may("list", person)],
        "is_superadmin": role == Role.SUPERADMIN,
        "is_admin": bool(role) and role in Role.ADMINS,
        "myisam_tables": tables_without_transactions() if role == Role.SUPERADMIN else (),
        "may_forward": settings.MAILADMIN_EDIT_ALIAS,
        "may_vacation": settings.MAILADMIN_VACATION,
        "theme": chosen_theme(request),
        "version": __version__,
    }


def chosen_theme(request):
    theme = request.COOKIES.get("mailadmin_theme") if request else None
    return theme if theme in ("light", "dark") else ""


# The door


def destination(request, target):
    """Where to go after the door: a page of our own, or home."""
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return settings.LOGIN_REDIRECT_URL


class Throttled:
    """A form whose answers are counted; too many wrong ones are told to wait."""

    def post(self, request, *args, **kwargs):
        try:
            return super().post(request, *args, **kwargs)
        except TooManyFailures as stop:
            log_failure(self.throttled_name(), request.client_address, "throttled")
            return too_many(request, stop.retry_after)

    def throttled_name(self):
        """Whose account was meant, for the log."""
        return self.request.user.username


@method_decorator([login_not_required, sensitive_post_parameters()], name="dispatch")
class Door(Throttled, FormView):
    """A form of the sign-in, whose wrong answers are counted."""

    roles = Role.ANYONE

    def open(self, attempt, person, backend, target):
        """Sign this person in, and know their browser from now on."""
        attempt.succeed(account_of(person))
        login(self.request, person, backend=backend)
        response = redirect(destination(self.request, target))
        attempt.remember_browser(response, account_of(person))
        return response


class Login(Door):
    template_name = "login.html"
    form_class = LoginForm

    def get(self, request, *args, **kwargs):
        if request.user.is_authenticated:
            return redirect(settings.LOGIN_REDIRECT_URL)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs):
        target = self.request.POST.get("next", self.request.GET.get("next", ""))
        return super().get_context_data(next=target, **kwargs)

    def form_valid(self, form):
        request = self.request
        name, password = form.cleaned_data["username"], form.cleaned_data["password"]
        target = request.POST.get("next", "")
        attempt = begin_attempt(request, name)
        person = authenticate(request, username=name, password=password, attempt=attempt)
        if person is None:
            return self.refuse(form, attempt, name)
        request.session.flush()
        rehash(request, person, password)
        if person.totp_secret:
            request.session[PENDING] = {
                "backend": person.backend,
                "key": person.pk,
                "hash": person.get_session_auth_hash(),
                "at": time.time(),
                "next": target,
            }
            return redirect("code")  # what was tried counts until the code is right too
        return self.open(attempt, person, person.backend, target)

    def refuse(self, form, attempt, name):
        if attempt.is_limited:
            raise attempt.refusal()
        log_failure(name, self.request.client_address, "password")
        form.refuse()
        return self.form_invalid(form)

    def throttled_name(self):
        return self.request.POST.get("username", "")


@method_decorator(login_not_required, name="dispatch")
class Code(Door):
    template_name = "login_code.html"
    form_class = CodeForm

    def dispatch(self, request, *args, **kwargs):
        self.person = pending_person(request)
        if self.person is None:
            return redirect("login")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        request = self.request
        attempt = begin_attempt_of(request, self.person, "code")
        if not code_is_right(self.person, form.cleaned_data["code"]):
            log_failure(self.person.pk, request.client_address, "code")
            form.refuse()
            return self.form_invalid(form)
        pending = request.session.pop(PENDING)
        return self.open(attempt, self.person, pending["backend"], pending["next"])

    def throttled_name(self):
        return self.person.pk


def pending_person(request):
    """Who has given the right password within the last minutes and still owes the code."""
    pending = request.session.get(PENDING)
    if not pending or time.time() - pending["at"] > PENDING_SECONDS:
        return None
    person = load_backend(pending["backend"]).get_user(pending["key"])
    if person is None or person.get_session_auth_hash() != pending["hash"]:
        return None
    return person


class Logout(View):
    roles = Role.ANYONE
    http_method_names = ["post"]

    def post(self, request):
        logout(request)
        return redirect(settings.LOGIN_URL)


# Health


@method_decorator(login_not_required, name="dispatch")
class Health(View):
    """The process answers."""

    roles = None

    def get(self, request):
        return JsonResponse({"status": "ok"})


@method_decorator(login_not_required, name="dispatch")
class Ready(View):
    """The database answers, takes changes, and its schema is ours."""

    roles = None

    def get(self, request):
        missing = what_is_missing()
        return JsonResponse(missing or {"status": "ok"}, status=503 if missing else 200)


# Errors


def too_many(request, retry_after):
    response = render(request, "429.html", {"retry_after": retry_after}, status=429)
    response["Retry-After"] = str(retry_after)
    return response


def forbidden(request, exception=None):
    return render(request, "403.html", status=403)


def not_found(request, exception=None):
    return render(request, "404.html", status=404)


def bad_request(request, exception=None):
    return HttpResponse(render(request, "400.html").content, status=400)


def csrf_failure(request, reason=""):
    return render(request, "403_csrf.html", status=403)


def server_error(request):
    """Plain pages that need neither database nor session; a missing database is named."""
    error = sys.exc_info()[1]
    if kind := outage_kind(error):
        logger.error("%s: %s", OUTAGES[kind].title, error)
        response = render(None, "503.html", {"outage": OUTAGES[kind]}, status=503)
        response["Retry-After"] = RETRY_AFTER
        return response
    return render(None, "500.html", status=500)
