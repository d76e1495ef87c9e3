"""Check a new password while it is typed."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin


@method_decorator(sensitive_post_parameters(), name="dispatch")
class PasswordCheckView(RoleRequiredMixin, View):
    """Which rules a password breaks; nothing is stored."""

    roles = Role.ANYONE

    def post(self, request: HttpRequest) -> HttpResponse:
        password, address = request.POST.get("password", ""), request.POST.get("address", "")
        problems = passwords.find_broken_rules(password, address)
        return render(request, "account/password_check.html", {"problems": problems})
