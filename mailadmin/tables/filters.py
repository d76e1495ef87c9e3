"""The search of lists."""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_date

from mailadmin.accounts.stored_schemes import is_scheme_filter
from mailadmin.db.column_facts import fits_column
from mailadmin.db.custom_columns import CustomColumnMixin
from mailadmin.names import try_normalize_domain

MAX_SEARCH_WORDS = 12  # more make a query that is slow in every database
DAYS_RE = re.compile("[0-9]{1,4}")


def search_rows(
    rows: QuerySet, names: Sequence[str], text: str, prefix_names: Sequence[str] = ()
) -> QuerySet:
    """Return the rows that contain every word in one of the columns.

    `bob*` matches the beginning of the first column, where an index helps. A column whose charset
    cannot hold a word cannot contain it, and is skipped. The columns of `prefix_names` match if
    they begin with the word.
    """
    condition = build_search_condition(rows.model, names, text, prefix_names)
    return rows.none() if condition is None else rows.filter(condition)


def build_search_condition(
    model: Any,
    names: Sequence[str],
    text: str,
    prefix_names: Sequence[str] = (),
    path: str = "",
) -> Q | None:
    """Return the condition of `search_rows`; None if no row can match.

    `path` leads from the rows to those of the model, if they are of another: `alias__`.
    """
    found = Q()
    for word in text.split()[:MAX_SEARCH_WORDS]:
        text_part, lookups = word, [(name, "icontains") for name in names]
        lookups += [(name, "istartswith") for name in prefix_names]
        if len(word) > 1 and word.endswith("*"):
            text_part, lookups = word[:-1], [(names[0], "istartswith")]
        fields = [(*pair, model._meta.get_field(pair[0].split("__")[0])) for pair in lookups]
        conditions = [
            Q(**{f"{path}{name}__{lookup}": spelling})
            for name, lookup, field in fields
            for spelling in {text_part, try_normalize_domain(text_part)}
            if fits_column(field, spelling)
        ]
        if "\x00" in word or not conditions:
            return None
        found &= Q(*conditions, _connector=Q.OR)
    return found


def filter_by_columns(
    rows: QuerySet,
    columns: Mapping[str, CustomColumnMixin],
    filters: Mapping[str, str],
    path: str = "",
) -> QuerySet:
    """Return the rows that have these values in custom columns; `path` as in a search."""
    for name, field in columns.items():
        if name not in filters:
            continue
        if not is_filter_of(field, filters[name]):
            return rows.none()
        value = field.to_python(filters[name])
        has_value = Q(**{f"{path}{name}": value})
        is_null = Q(**{f"{path}{name}__isnull": True})
        rows = rows.filter(has_value | is_null if value is False else has_value)
    return rows


def is_filter_of(field: CustomColumnMixin, text: str | None) -> bool:
    """Return whether a column may have the value that a filter names; True without a filter."""
    if text is None:
        return True
    try:
        value = field.to_python(text)
    except ValidationError:
        return False
    return not isinstance(value, (str, int, Decimal)) or fits_column(field, value)


def is_number_of_days(text: str) -> bool:
    """Return whether this is a number of days, at least one."""
    return DAYS_RE.fullmatch(text) is not None and int(text) > 0


def is_flag(text: str) -> bool:
    """Return whether this is 0 or 1."""
    return text in ("0", "1")


def is_iso_date(text: str) -> bool:
    """Return whether this is a day such as 2026-01-31."""
    with contextlib.suppress(ValueError):
        return parse_date(text) is not None
    return False


FILTER_VALIDATORS: Mapping[str, Callable[[str], bool]] = {
    "active": is_flag,
    "from": is_iso_date,
    "until": is_iso_date,
    "scheme": is_scheme_filter,
    "unused": is_number_of_days,
}


def find_invalid_filters(params: Mapping[str, str]) -> list[str]:
    """Return the filters whose values are none: they would match nothing, or everything."""
    return [
        name
        for name, is_valid in FILTER_VALIDATORS.items()
        if name in params and not is_valid(params[name])
    ]
