"""Say as which address mail is handled where its domain is an alias of another."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from domains.models import AliasDomain
from mailboxes.postfix.addresses import split_address
from mailboxes.postfix.explain.redaction import VisibleScope
from mailboxes.postfix.routing import Route

ADDRESS_MAPS = ("virtual_alias", "refused_recipients")  # how the names of these maps begin
# Those of rows with the address itself, which come before the rows of the target domain.
OWN_ROW_MAPS = ("virtual_alias", "virtual_alias_mailbox", "refused_recipients")


def find_handled_as(route: Route, scope: VisibleScope) -> dict[str, Any] | None:
    """Return the address of the target domain that takes the mail, and the alias domain."""
    local_part, domain = split_address(route.address)
    if route.kind != "virtual" or has_own_row(route):
        return None
    rows = AliasDomain.objects.visible_to(scope.principal)
    row = rows.filter(pk=domain, active=True).first()
    if row is None:
        return None
    has_page = settings.MAILADMIN_ALIAS_DOMAIN
    return {
        "address": f"{local_part}@{row.target_domain_id}",
        "alias_domain": row.pk,
        "target_domain": row.target_domain_id,
        "url": reverse("alias-domains-edit", args=[row.pk]) if has_page else "",
    }


def has_own_row(route: Route) -> bool:
    """Return whether a row of the address or a catch-all of its own domain takes the mail."""
    found = (each for each in route.lookups if each.table.name.startswith(ADDRESS_MAPS))
    answer = next((each for each in found if each.value is not None), None)
    return answer is not None and answer.table.name in OWN_ROW_MAPS


def get_handled_as_text() -> str:
    return _(
        "%(typed)s is handled as %(address)s, because %(alias_domain)s is an alias domain of"
        " %(target_domain)s."
    )


def format_handled_as(explanation: dict[str, Any]) -> str:
    """Return the sentence about the alias domain; empty if the address is in none."""
    handled_as = explanation["handled_as"]
    if not handled_as:
        return ""
    return get_handled_as_text() % {"typed": explanation["address"], **handled_as}
