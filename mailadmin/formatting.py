"""Format values for people: sizes, dates, addresses, limits, changes; and URLs."""

import contextlib
import datetime
import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.apps import apps
from django.conf import settings
from django.db import models
from django.urls import get_script_prefix, reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, escape, format_html
from django.utils.http import RFC3986_SUBDELIMS
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from mailadmin.db.fields import (
    LimitField,
    ListTextField,
    MegabytesField,
    SizeField,
    is_known_year,
)
from mailadmin.html_formats import HTMLFormat
from mailadmin.names import address_to_unicode

if TYPE_CHECKING:
    from mailadmin.changes.models import Change

MOMENT_HTML = HTMLFormat('<span class="moment" title="{}">{}</span>')
DATETIME_RE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
MAX_SUMMARY_VALUES = 2
KEY_SAFE_CHARACTERS = RFC3986_SUBDELIMS + "/~:@"


def page_url(name: str) -> str:
    """Return the URL of a page without a key: `reverse` is called once."""
    return _reverse(name, get_script_prefix())


@functools.cache
def _reverse(name: str, prefix: str) -> str:
    return reverse(name)


def key_url(name: str, key: Any) -> str:
    """Return the URL of a row: `reverse` is called once, as only the key differs."""
    return url_builder(name)(key)


def url_builder(name: str) -> Callable[[Any], str]:
    """Return the function that gives the URL of each key."""
    before, after = _split_url(name, get_script_prefix())
    return lambda key: before + quote(str(key), safe=KEY_SAFE_CHARACTERS) + after


@functools.cache
def _split_url(name: str, prefix: str) -> list[str]:
    return reverse(name, args=["\0"]).split(quote("\0"))


def fill_html(text: str, values: Mapping[str, Any]) -> SafeString:
    """Return a text with these values in its places: links stay links, all else is escaped."""
    escaped = {name: conditional_escape(value) for name, value in values.items()}
    return mark_safe(escape(text) % escaped)  # noqa: S308 (all parts are escaped)


def unicode_address(address: Any) -> str:
    return address_to_unicode(str(address))


def format_datetime(value: datetime.datetime | None) -> str:
    """Return date and time, or a dash for an unknown date."""
    minute = to_local_minute(value)
    return _format_minute(minute, "SHORT_DATETIME_FORMAT", get_language()) if minute else "–"


def to_local_minute(value: datetime.datetime | None) -> datetime.datetime | None:
    """Return a moment in local time without its seconds; None for an unknown date."""
    if value is None:
        return None
    local = timezone.localtime(value)
    if not is_known_year(local.year):
        return None
    return datetime.datetime(local.year, local.month, local.day, local.hour, local.minute)


# Formatted once for each language, which lists ask for once: a page has hundreds of such values.


@functools.lru_cache(maxsize=10_000)
def _format_minute(minute: datetime.datetime, format_name: str, language: str | None) -> str:
    return formats.date_format(minute, format_name)


def render_moment(
    value: datetime.datetime | None, today: datetime.date, language: str | None
) -> SafeString:
    """Return the time if the moment is today, else the date; the title has both."""
    minute = to_local_minute(value)
    if minute is None:
        return MOMENT_HTML("–", "–")
    return _render_minute(minute, minute.date() == today, language)


@functools.lru_cache(maxsize=10_000)
def _render_minute(minute: datetime.datetime, is_today: bool, language: str | None) -> SafeString:
    shown = "TIME_FORMAT" if is_today else "SHORT_DATE_FORMAT"
    title = formats.date_format(minute, "SHORT_DATETIME_FORMAT")
    return MOMENT_HTML(title, formats.date_format(minute, shown))


def format_number(number: int, language: str | None = None) -> str:
    """Return a number with the separators of the language."""
    return _format_number(number, language or get_language())


@functools.lru_cache(maxsize=10_000)
def _format_number(number: int, language: str | None) -> str:
    return formats.number_format(number)


def format_size(size: float | str | None, language: str | None = None) -> str:
    """Return bytes in the MB of the quota columns, large ones in GB."""
    if size in (None, ""):
        return "–"
    return format_megabytes(size / settings.MAILADMIN_QUOTA_MULTIPLIER, language)


def format_megabytes(size: float, language: str | None = None) -> str:
    """Return megabytes, large ones in GB."""
    return _format_megabytes(size, language or get_language())


@functools.lru_cache(maxsize=10_000)
def _format_megabytes(size: float, language: str | None) -> str:
    if size >= 10000:
        return _("%(size)s GB") % {"size": formats.number_format(round(size / 1000, 1), 1)}
    digits = 0 if size >= 10 or size == int(size) else 1
    return _("%(size)s MB") % {"size": formats.number_format(round(size, digits), digits)}


def percent_of(part: float, whole: float) -> int:
    """Return a percentage from 0 to 100; 0 if there is no whole."""
    if not whole or whole <= 0:
        return 0
    return max(0, min(100, round(100 * part / whole)))


def format_percent(percent: int, language: str | None = None) -> str:
    """Return a percentage as the language writes it: with a space before the sign or not."""
    return _format_percent(percent, language or get_language())


@functools.lru_cache(maxsize=1000)
def _format_percent(percent: int, language: str | None) -> str:
    return _("%(percent)s%%") % {"percent": percent}


def format_limit(limit: int) -> str:
    """Return a limit as text; 0 is unlimited and -1 none, as in PostfixAdmin."""
    match limit:
        case -1:
            return _("none allowed")
        case 0:
            return _("unlimited")
    return formats.number_format(limit)


def format_quota_limit(limit: int) -> str:
    """Return a quota that sets no size as text: 0 is unlimited, and -1 disables quotas."""
    return _("quotas disabled") if limit == -1 else format_limit(limit)


@functools.lru_cache(maxsize=10_000)
def render_limit(
    limit: int, language: str | None, show: Callable[[int], str] = format_limit
) -> SafeString:
    """Return a limit as lists show it: unlimited is a sign, since most rows may have none."""
    if limit != 0:
        return escape(show(limit))
    return format_html('<abbr title="{}">∞</abbr>', _("unlimited"))


def usage_level(percent: int) -> str:
    """Return the Bootstrap colour of a meter."""
    return "danger" if percent >= 90 else "warning" if percent >= 70 else "success"


def iter_change_values(change: "Change") -> Iterator[tuple[str | Promise, Any, Any]]:
    """Yield (column, old, new) of a change record."""
    for column, value in change.values.items():
        label = column_label(change.table, column)
        match value:
            case {"added": added, "removed": removed}:
                field = find_column(change.table, column)
                yield label, format_items(field, removed), format_items(field, added)
            case [old, new]:
                show = choose_change_format(find_column(change.table, column))
                yield label, show(old), show(new)
            case _:
                yield label, _("(secret)"), _("(secret)")


def render_change_values(change: "Change") -> SafeString:
    """Return the columns of a change, with their values before and after, as HTML."""
    parts = (
        format_html("<dt>{}</dt><dd>{}</dd>", column, render_old_and_new(old, new))
        for column, old, new in iter_change_values(change)
    )
    return format_html('<dl class="changes">{}</dl>', SafeString("".join(parts)))


def render_old_and_new(old: Any, new: Any) -> str:
    """Return the value before and the value after as HTML; an empty one is left out."""
    match old != "", new != "":
        case True, True:
            return format_html("<del>{}</del> → <ins>{}</ins>", old, new)
        case True, False:
            return format_html("<del>{}</del>", old)
        case False, True:
            return format_html("<ins>{}</ins>", new)
    return ""


def choose_change_format(field: models.Field | None) -> Callable[[Any], Any]:
    """Return the function that formats the values of a column."""
    match field:
        case SizeField():
            return functools.partial(format_quota, format_size)
        case MegabytesField():
            return functools.partial(format_quota, format_megabytes)
        case LimitField():
            return format_count_limit
        case ListTextField():
            return field.format_text
    return format_change_value


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


def dash(value: Any) -> Any:
    """Return a dash for an empty value."""
    return "–" if value in (None, "") else value


@functools.cache
def table_label(table: str) -> str | Promise:
    """Return the name of a table's rows for display; one that no longer exists keeps its name."""
    model = find_model(table)
    return model._meta.verbose_name or table if model else table


@functools.cache
def column_label(table: str, column: str) -> str | Promise:
    """Return the name of a column for display; a column that no longer exists keeps its name."""
    field = find_column(table, column)
    return field.verbose_name if field else column


@functools.cache
def find_column(table: str, column: str) -> models.Field | None:
    """Return the field of a column, None if it no longer exists."""
    model = find_model(table)
    fields = model._meta.concrete_fields if model else ()
    return next((field for field in fields if field.column == column), None)


def find_model(table: str) -> type[models.Model] | None:
    """Return the model by whose name a change record calls its table."""
    return next((m for m in apps.get_models() if m._meta.model_name == table), None)


def format_quota(show: Callable[[int], str], value: Any) -> Any:
    """Return a quota for display: a size as `show` does, 0 and -1 in words."""
    if not isinstance(value, int):
        return format_change_value(value)
    return show(value) if value > 0 else format_quota_limit(value)


def format_count_limit(value: Any) -> Any:
    """Return a limit for display, 0 and -1 in words."""
    return format_limit(value) if isinstance(value, int) else format_change_value(value)


def format_change_value(value: Any) -> Any:
    """Return a value of a change record for display."""
    match value:
        case None:
            return ""
        case bool():
            return _("yes") if value else _("no")
        case str() if DATETIME_RE.fullmatch(value):
            with contextlib.suppress(ValueError):
                return format_datetime(timezone.make_aware(datetime.datetime.fromisoformat(value)))
    return value
