"""The page of second factors: who has what, and what is required of which role."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView, TemplateView

from domains.models import Admin
from mailadmin.accounts.factors.models import Passkey, PolicyLevel
from mailadmin.accounts.factors.policy import get_role_levels
from mailadmin.accounts.factors.services import set_role_levels
from mailadmin.accounts.models import Principal, Role, visible_rows
from mailadmin.accounts.permissions import RoleRequiredMixin
from mailadmin.accounts.proof import RecentProofMixin
from mailadmin.changes.perform import digest_values, perform
from mailadmin.names import try_normalize_domain
from mailboxes.models import Mailbox

PAGE_SIZE = 50
ROLE_LABELS = {
    Role.SUPERADMIN: _("Superadmins"),
    Role.ADMIN: _("Domain admins"),
    Role.MAILBOX: _("Mailbox owners"),
}
STATES = {
    "missing": _("required and missing"),
    "without": _("without a second factor"),
    "with": _("with a second factor"),
}


class RoleLevelForm(forms.Form):
    """Whether people of each role can or must have a second factor."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role, label in ROLE_LABELS.items():
            name = str(role.name)
            self.fields[name] = forms.ChoiceField(label=label, choices=PolicyLevel.choices)


class SecondFactorsView(RoleRequiredMixin, TemplateView):
    """Show the people in scope with their second factors."""

    roles = Role.ADMINS
    template_name = "mailboxes/second_factors.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        params = self.request.GET
        is_superadmin = self.principal.role is Role.SUPERADMIN
        shows_admins = is_superadmin and params.get("people") == "admins"
        filters = {name: params.get(name, "").strip() for name in ("domain", "state")}
        people = select_people(Admin if shows_admins else Mailbox, self.principal, filters)
        page = list(people.filter(pk__gt=params.get("after", ""))[: PAGE_SIZE + 1])
        return super().get_context_data(
            people=page[:PAGE_SIZE],
            after=page[PAGE_SIZE - 1].pk if len(page) > PAGE_SIZE else "",
            shows_admins=shows_admins,
            filters=filters,
            states=STATES,
            **kwargs,
        )


class RoleLevelsView(RecentProofMixin, FormView):
    """Set whether people of each role can or must have a second factor."""

    roles = Role.SUPERADMIN
    template_name = "mailboxes/second_factor_levels.html"
    form_class = RoleLevelForm

    def get_initial(self) -> dict[str, Any]:
        levels = {str(role.name): level for role, level in get_role_levels().items()}
        return levels | {"seen": digest_values(levels)}

    def form_valid(self, form: RoleLevelForm) -> HttpResponse:
        if form.cleaned_data["seen"] != self.get_initial()["seen"]:
            text = gettext("Someone else changed this in the meantime. Nothing was saved.")
            messages.error(self.request, text)
            return redirect("second-factor-levels")
        levels = {role: form.cleaned_data[str(role.name)] for role in ROLE_LABELS}
        perform(self.actor, set_role_levels, levels)
        messages.success(self.request, gettext("The settings were saved."))
        return redirect("second-factors")

    def form_invalid(self, form: RoleLevelForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


def select_people(
    model: type[Principal], principal: Principal, filters: dict[str, str]
) -> QuerySet[Any]:
    """Return active people in scope with their factors, by address."""
    passkeys = Passkey.objects.filter(
        owner_model=model._meta.label,
        owner_key=OuterRef("pk"),
        created__gte=OuterRef("created"),
    )
    counts = passkeys.order_by().values("owner_key").annotate(count=Count("pk")).values("count")
    people = visible_rows(model, principal).filter(active=True)
    people = people.annotate(
        passkey_count=Coalesce(Subquery(counts), 0), factor_policy=model.build_factor_policy()
    )
    if (name := filters["domain"]) and model is Mailbox:
        people = people.filter(domain=try_normalize_domain(name))
    has_factor = Q(totp_secret__gt="") | Q(Exists(passkeys))
    match filters["state"]:
        case "with":
            people = people.filter(has_factor)
        case "without":
            people = people.exclude(has_factor)
        case "missing":
            people = people.exclude(has_factor).filter(factor_policy=PolicyLevel.REQUIRED)
    return people.order_by("pk")
