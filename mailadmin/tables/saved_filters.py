"""Services of saved filters; they are the panel's own rows and leave no log line."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Principal, is_later_namesake
from mailadmin.changes.perform import Changes
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import validate_single_line
from mailadmin.tables.models import SavedFilter
from mailadmin.tables.table import Table

MAX_QUERY_LENGTH = 1000  # of the column
MAX_SAVED_FILTERS = 20  # of one person for one table


SAVED_FILTERS = CompiledQuery(
    lambda model, key, table: SavedFilter.objects.filter(
        owner_model=model, owner_key=key, table=table
    ).order_by("pk")
)


def list_saved_filters(principal: Any, table: Table) -> list[SavedFilter]:
    """Return this person's filters of a table."""
    if not principal.has_saved_filters:
        return []
    found = SAVED_FILTERS.fetch(model=principal.model_label, key=principal.pk, table=table.slug)
    return [each for each in found if not is_later_namesake(principal, each.created)]


def save_filter(changes: Changes, table: Table, name: str, query: str) -> SavedFilter:
    """Save a filtered list under a name; one of the same name is replaced."""
    owner, name = changes.principal, name.strip()[:60]
    filters = table.filters(QueryDict(query).dict())  # type: ignore[arg-type]  # texts only
    validate_single_line(name)
    if not name or not filters:
        raise ValidationError(_("Enter a name for the filter."))
    if len(urlencode(filters)) > MAX_QUERY_LENGTH:
        raise ValidationError(_("The filter is too long to be saved."))
    rows = SavedFilter.objects.owned_by(owner).filter(table=table.slug)
    rows.filter(name=name).delete()
    if rows.count() >= MAX_SAVED_FILTERS:
        text = _("You can save up to %(count)s filters for each list. Remove one first.")
        raise ValidationError(text, params={"count": MAX_SAVED_FILTERS})
    return SavedFilter.objects.create(
        owner_model=owner.model_label,
        owner_key=owner.pk,
        table=table.slug,
        name=name,
        query=urlencode(filters),
    )


def delete_saved_filters(principals: Iterable[Principal]) -> None:
    """Delete the filters of people who are deleted: their names may be given to others."""
    keys: defaultdict[str, list[Any]] = defaultdict(list)
    for principal in principals:
        keys[principal.model_label].append(principal.pk)
    for label, owners in keys.items():
        SavedFilter.objects.filter(owner_model=label, owner_key__in=owners).delete()


def delete_filter(changes: Changes, pk: int) -> None:
    SavedFilter.objects.owned_by(changes.principal).filter(pk=pk).delete()
