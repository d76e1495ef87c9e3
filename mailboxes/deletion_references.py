"""The aliases that point to what is deleted, as the confirmation of a deletion shows them."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.tables.cascade import ReferenceGroup
from mailboxes.services.references import classify_inbound_aliases, find_affected_aliases

NOT_SEARCHED_TEXT = gettext_lazy(
    "The selection is too large to check whether other aliases forward to it."
)


def find_address_references(
    principal: Any, addresses: Sequence[str], deleted_catch_alls: Sequence[str] = ()
) -> list[ReferenceGroup]:
    """Return the aliases that point to deleted addresses, by what happens to their mail."""
    found = classify_inbound_aliases(principal, addresses, deleted_catch_alls)
    groups = [
        ReferenceGroup(
            _("These aliases are kept, but mail to them will bounce:"), found["broken"], "warning"
        ),
        ReferenceGroup(
            _("Mail to these aliases will go to the catch-all instead:"),
            found["delivered_to_catch_all"],
        ),
        ReferenceGroup(
            _("These aliases lose a target but still deliver to others:"),
            found["still_deliverable"],
        ),
    ]
    return [group for group in groups if group.rows]


def find_domain_references(principal: Any, domains: Sequence[str]) -> list[ReferenceGroup]:
    """Return the aliases that forward to deleted domains: that mail then leaves this server."""
    text = _(
        "These aliases forward to domains that will be deleted. Mail to these targets will be"
        " sent to another server:"
    )
    aliases = find_affected_aliases(principal, [f"@{name}" for name in domains])
    return [ReferenceGroup(text, aliases, "warning")] if aliases else []
