"""What the checks of mailboxes and aliases share: their rows, and how aliases are edited."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db.models import Q

from mailadmin.db.bulk import chunks
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.checks import CheckedRows, PlannedChange, in_domain_by
from mailboxes.models import Alias, Mailbox

MAILBOXES = _("Mailboxes and aliases")
PARSED_WINDOW = 2000  # aliases whose targets are parsed and looked up together
MAILBOX_ROWS = [CheckedRows(Mailbox, "username", in_domain_by("domain"))]
ALIAS_ROWS = [CheckedRows(Alias, "address", in_domain_by("domain"), window=PARSED_WINDOW)]


def names_autoreply() -> Q:
    """Return the condition for aliases that name a target of vacation replies."""
    return Q(goto__icontains="@" + settings.MAILADMIN_VACATION_DOMAIN)


def load_aliases(keys: Iterable[str]) -> Iterator[Alias]:
    """Yield the aliases of these addresses."""
    for part in chunks(keys):
        yield from Alias._base_manager.filter(pk__in=part).order_by("pk")


def plan_alias_edit(alias: Alias, **values: Any) -> PlannedChange:
    return PlannedChange("edit", alias, values, "edit_alias", alias.domain_id, alias.pk)
