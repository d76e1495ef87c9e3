"""The pages of integrity: all checks, the problems of one, and what a fix would change."""

import time
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.generic import TemplateView

from mailadmin.accounts.models import Role
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.changes.perform import perform
from mailadmin.names import try_normalize_domain
from mailadmin.tables.actions import Text
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.checks import IntegrityCheck
from mailboxes.integrity.fixes import MAX_FIXED, digest_plan, fix_problems, plan_fix
from mailboxes.integrity.output import describe_change
from mailboxes.integrity.scanning import Located, ScanResult, Scope, find_again, scan

PAGE_SIZE = 50
PAGE_SECONDS = 4.0  # that the checks of a page may take together
MIN_SECONDS = 0.01  # for each check, however long the others took
FIRST_ROW = "0:"


class CheckSummary(NamedTuple):
    """What a check has found, as the list of checks shows it."""

    check: IntegrityCheck
    number: int
    has_more: bool
    is_partial: bool


class IntegrityMixin(RoleRequiredMixin):
    """The rows of the domain that the URL names, or all in scope."""

    roles = Role.ADMINS

    @cached_property
    def domain(self) -> str:
        return try_normalize_domain(self.request.GET.get("domain", ""))

    @cached_property
    def scope(self) -> Scope:
        return Scope(self.principal, self.domain)

    def build_query(self, **params: str) -> str:
        """Return a query string with the filter by domain."""
        given = {name: value for name, value in ({"domain": self.domain} | params).items() if value}
        return f"?{urlencode(given)}" if given else ""


class IntegrityView(IntegrityMixin, TemplateView):
    """Run all checks, each as far as the time allows."""

    template_name = "integrity/overview.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        summaries = self.run_checks()
        groups: dict[Text, list[CheckSummary]] = {}
        for each in summaries:
            if each.number or each.is_partial:
                groups.setdefault(each.check.group, []).append(each)
        return super().get_context_data(
            problem_groups=list(groups.items()),
            passed=[each.check for each in summaries if not (each.number or each.is_partial)],
            domain=self.domain,
            query=self.build_query(),
            is_sound=not groups,
            **kwargs,
        )

    def run_checks(self) -> list[CheckSummary]:
        """Run the checks that this role may see; those that need more time continue at the end."""
        checks = [check for check in CHECKS.values() if self.principal.role in check.roles]
        results = {check.name: ScanResult(next=FIRST_ROW) for check in checks}
        deadline = time.monotonic() + PAGE_SECONDS
        waiting = checks
        while waiting and (waiting is checks or time.monotonic() < deadline):
            for position, check in enumerate(waiting):
                share = (deadline - time.monotonic()) / (len(waiting) - position)
                continue_scan(check, self.scope, results[check.name], max(MIN_SECONDS, share))
            waiting = [check for check in waiting if is_unfinished(results[check.name])]
        return [summarize(check, results[check.name]) for check in checks]


def continue_scan(check: IntegrityCheck, scope: Scope, result: ScanResult, seconds: float) -> None:
    """Add to what was found before what follows, up to a page of problems."""
    more = scan(check, scope, result.next, PAGE_SIZE - len(result.found), seconds)
    result.found += more.found
    result.next = more.next


def is_unfinished(result: ScanResult) -> bool:
    """Return whether a check has not read all rows, and may find more that the page shows."""
    return bool(result.next) and len(result.found) < PAGE_SIZE


def summarize(check: IntegrityCheck, result: ScanResult) -> CheckSummary:
    count = len(result.found)
    has_more = bool(result.next) and count >= PAGE_SIZE
    return CheckSummary(check, count, has_more, bool(result.next) and not has_more)


class IntegrityCheckView(IntegrityMixin, TemplateView):
    """Show the problems of a check; show what would fix them, and fix them."""

    template_name = "integrity/check.html"

    @cached_property
    def check(self) -> IntegrityCheck:
        check = CHECKS.get(self.kwargs["name"])
        if check is None or self.principal.role not in check.roles:
            raise Http404
        return check

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        after = self.request.GET.get("after", "")
        result = scan(self.check, self.scope, after, PAGE_SIZE, PAGE_SECONDS)
        summary = summarize(self.check, result)
        return super().get_context_data(
            check=self.check,
            found=result.found,
            is_partial=summary.is_partial,
            next_url=self.build_query(after=result.next) if result.next else "",
            after=after,
            domain=self.domain,
            query=self.build_query(),
            max_fixed=MAX_FIXED,
            **kwargs,
        )

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the changes that fix the selected problems; make them once they are confirmed."""
        if not self.check.is_fixable:
            raise Http404
        if "digest" in request.POST:
            return self.fix(request.POST.getlist("keys"), request.POST["digest"])
        found = self.get_selected()
        if not found:
            return self.redirect_none_selected()
        return self.render_preview(found)

    def redirect_none_selected(self) -> HttpResponse:
        messages.warning(self.request, _("No problems were selected, or they no longer exist."))
        return redirect(self.get_list_url())

    def get_selected(self) -> list[Located]:
        if self.request.POST.get("all") == "1":
            return scan(self.check, self.scope, "", MAX_FIXED, PAGE_SECONDS).found
        return find_again(self.check, self.scope, self.request.POST.getlist("keys")[:MAX_FIXED])

    def render_preview(self, found: list[Located], error: str = "") -> HttpResponse:
        plan = plan_fix(self.check, self.scope, found)
        context = {
            "check": self.check,
            "ids": [each.id for each in found],
            "count": len(found),
            "planned": [describe_change(each, self.principal) for each in plan[:MAX_FIXED]],
            "rest": max(0, len(plan) - MAX_FIXED),
            "digest": digest_plan(plan),
            "query": self.build_query(),
            "error": error,
        }
        status = 422 if error else 200
        return render(self.request, "integrity/preview.html", context, status=status)

    def fix(self, ids: list[str], digest: str) -> HttpResponse:
        ids = ids[:MAX_FIXED]
        try:
            count = len(perform(self.actor, fix_problems, self.check.name, ids, digest))
        except ValidationError as error:
            found = find_again(self.check, self.scope, ids)
            if not found:
                return self.redirect_none_selected()
            return self.render_preview(found, " ".join(error.messages))
        text = ngettext("%(count)s problem was fixed.", "%(count)s problems were fixed.", count)
        messages.success(self.request, text % {"count": count})
        return redirect(self.get_list_url())

    def get_list_url(self) -> str:
        return reverse("integrity-check", args=[self.check.name]) + self.build_query()
