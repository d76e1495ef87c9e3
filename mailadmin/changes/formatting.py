"""Format change records for people: the columns, with their values before and after."""

import contextlib
import datetime
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from mailadmin.accounts.models import Role
from mailadmin.conf.custom_columns import CUSTOM_PREFIX
from mailadmin.db.custom_columns import CustomColumnMixin
from mailadmin.db.fields import LimitField, ListTextField, MegabytesField, SizeField
from mailadmin.formatting import (
    cached_in_language,
    dash,
    format_datetime,
    format_limit,
    format_megabytes,
    format_quota_limit,
    format_size,
)
from mailadmin.html_formats import HTMLFormat

if TYPE_CHECKING:
    from mailadmin.changes.models import Change

DATETIME_RE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
MAX_SUMMARY_VALUES = 2
CHANGES_HTML = HTMLFormat('<dl class="changes">{}</dl>')
VALUE_HTML = HTMLFormat("<dt>{}</dt><dd>{}</dd>")
OLD_HTML = HTMLFormat("<del>{}</del>")
NEW_HTML = HTMLFormat("<ins>{}</ins>")
OLD_AND_NEW_HTML = HTMLFormat("<del>{}</del> → <ins>{}</ins>")


def iter_change_values(change: "Change") -> Iterator[tuple[str, Any, Any]]:
    """Yield (column, old, new) of a change record."""
    language = get_language()
    for column, value in change.values.items():
        label = column_label(change.table, column, language=language)
        match value:
            case {"added": added, "removed": removed}:
                field = find_column(change.table, column)
                yield label, format_items(field, removed), format_items(field, added)
            case [old, new]:
                show = column_format(change.table, column, language)
                yield label, show(old), show(new)
            case _:
                yield label, _("(secret)"), _("(secret)")


def render_change_values(change: "Change") -> SafeString:
    """Return the columns of a change, with their values before and after, as HTML."""
    parts = [
        VALUE_HTML(column, render_old_and_new(old, new))
        for column, old, new in iter_change_values(change)
    ]
    return CHANGES_HTML(SafeString("".join(parts)))


def render_old_and_new(old: Any, new: Any) -> str:
    """Return the value before and the value after as HTML; an empty one is left out."""
    match old != "", new != "":
        case True, True:
            return OLD_AND_NEW_HTML(old, new)
        case True, False:
            return OLD_HTML(old)
        case False, True:
            return NEW_HTML(new)
    return ""


def choose_change_format(
    field: models.Field | None, language: str | None = None
) -> Callable[[Any], Any]:
    """Return the function that formats the values of a column, in the active language if none."""
    match field:
        case SizeField():
            return functools.partial(format_quota, format_size, language=language)
        case MegabytesField():
            return functools.partial(format_quota, format_megabytes, language=language)
        case LimitField():
            return functools.partial(format_count_limit, language=language)
        case ListTextField():
            return field.format_text
    return functools.partial(format_change_value, language=language)


def format_items(field: models.Field | None, items: Sequence[str]) -> str:
    """Return items of a list for display: as its column formats them, if that still exists."""
    return field.format_items(items) if isinstance(field, ListTextField) else ", ".join(items)


def change_verb(verb: str) -> str:
    """Return what happened to a row, for display; other verbs as they are stored."""
    return {"create": _("Created"), "edit": _("Changed"), "delete": _("Deleted")}.get(verb, verb)


def summarize_change(change: "Change") -> str:
    """Return the first values that an edit changed, in a line."""
    if change.verb != "edit":
        return ""
    values = itertools.islice(iter_change_values(change), MAX_SUMMARY_VALUES)
    return "; ".join(f"{label} {dash(old)} → {dash(new)}"[:80] for label, old, new in values)


def hide_values(change: "Change", principal: Any) -> None:
    """Leave out the columns of a change that this principal may not see."""
    if principal.role is not Role.SUPERADMIN:
        values = change.values.items()
        change.values = {n: value for n, value in values if not is_hidden(change.table, n)}


# Looked up once: a log page shows some hundred values.


@functools.cache
def table_label(table: str) -> str | Promise:
    """Return the name of a table's rows for display; one that no longer exists keeps its name."""
    model = find_model(table)
    return model._meta.verbose_name or table if model else table


@cached_in_language
def column_label(table: str, column: str) -> str:
    """Return the name of a column for display; a column that no longer exists keeps its name."""
    field = find_column(table, column)
    return str(field.verbose_name) if field else column


@functools.lru_cache(maxsize=10_000)
def column_format(table: str, column: str, language: str | None) -> Callable[[Any], Any]:
    return choose_change_format(find_column(table, column), language)


@functools.cache
def find_column(table: str, column: str) -> models.Field | None:
    """Return the field of a column, None if it no longer exists."""
    model = find_model(table)
    fields = model._meta.concrete_fields if model else ()
    return next((field for field in fields if field.column == column), None)


@functools.cache
def is_hidden(table: str, column: str) -> bool:
    """Return whether only superadmins see the values of a column, as of one that is no more."""
    field = find_column(table, column)
    if field is None:
        return column.startswith(CUSTOM_PREFIX)
    return isinstance(field, CustomColumnMixin) and field.superadmin_only


def find_model(table: str) -> type[models.Model] | None:
    """Return the model by whose name a change record calls its table."""
    return next((m for m in apps.get_models() if m._meta.model_name == table), None)


# Values


def format_quota(show: Callable[..., str], value: Any, language: str | None = None) -> Any:
    """Return a quota for display: a size as `show` does, 0 and -1 in words."""
    if not isinstance(value, int):
        return format_change_value(value, language)
    return (
        show(value, language=language)
        if value > 0
        else format_quota_limit(value, language=language)
    )


def format_count_limit(value: Any, language: str | None = None) -> Any:
    """Return a limit for display, 0 and -1 in words."""
    if isinstance(value, int):
        return format_limit(value, language=language)
    return format_change_value(value, language)


def format_change_value(value: Any, language: str | None = None) -> Any:
    """Return a value of a change record for display."""
    match value:
        case None:
            return ""
        case bool():
            return format_boolean(value, language=language)
        case str() if DATETIME_RE.fullmatch(value):
            with contextlib.suppress(ValueError):
                moment = timezone.make_aware(datetime.datetime.fromisoformat(value))
                return format_datetime(moment, language)
    return value


@cached_in_language
def format_boolean(value: bool) -> str:
    return _("yes") if value else _("no")
