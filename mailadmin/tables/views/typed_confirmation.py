"""Before much is deleted, its name is typed, or the number of rows where they are several."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from mailadmin.names import fold
from mailadmin.tables.table import Table

MAX_UNTYPED_ROWS = 10  # that a deletion also deletes before it has to be confirmed by typing


def get_text_to_type(keys: Sequence[Any], cascade_counts: Sequence[tuple[Any, int]]) -> str:
    """Return what has to be typed to delete these rows; empty if nothing has."""
    if sum(count for _kind, count in cascade_counts) <= MAX_UNTYPED_ROWS:
        return ""
    return str(keys[0]) if len(keys) == 1 else number_format(len(keys))


def find_typing_error(table: Table, keys: Sequence[Any], sent: Mapping[str, str]) -> str:
    """Return why a deletion is not confirmed; empty if it is, or if nothing had to be typed."""
    typed = sent.get("confirm", "").strip()
    if not typed:
        is_confirmed = not get_text_to_type(keys, table.cascade_counts(keys))
    elif len(keys) == 1:
        is_confirmed = fold(str(keys[0])) in (fold(typed), fold(table.parse_key(typed)))
    else:
        is_confirmed = "".join(filter(str.isdigit, typed)) == str(len(keys))
    return "" if is_confirmed else _("The text does not match. Type it as it is shown to confirm.")
