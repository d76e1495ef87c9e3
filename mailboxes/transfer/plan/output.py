"""A plan as text and as JSON, the same for the command and the pages."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from mailadmin.db.pagination import iter_rows
from mailadmin.tables.actions import Text
from mailadmin.translation import gettext as _
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.plan.revert import unreverted_rows
from mailboxes.transfer.row_types import ROW_TYPES
from mailboxes.transfer.row_types.base import RowType

Verb = PlanRow.Verb
PlanCounts = dict[RowType, dict[PlanRow.Verb, int]]


def count_by_verb(plan: Plan) -> PlanCounts:
    """Return how many rows of each verb the plan has, by row type in order of the stages."""
    counts: PlanCounts = {}
    row_types = list(ROW_TYPES.values())
    for row in plan.rows.values("stage", "verb").annotate(count=Count("*")).order_by("stage"):
        row_type = row_types[row["stage"]]
        counts.setdefault(row_type, dict.fromkeys(Verb, 0))[Verb(row["verb"])] = row["count"]
    return counts


def rows_with_verb(plan: Plan, verb: PlanRow.Verb, limit: int | None = None) -> Iterable[PlanRow]:
    rows = plan.rows.filter(verb=verb)
    if limit is None:
        return iter_rows(rows)  # in the order of the source
    return rows.order_by("stage", "pk")[:limit]


def iter_new_values(row: PlanRow) -> Iterator[tuple[str, Any]]:
    """Yield the values of a new row for display: no secrets, no empty ones, and not its key."""
    row_type = ROW_TYPES[row.kind]
    key = row.key.lower()
    for name, value in row_type.to_file_values(row.values).items():
        is_empty = value in ("", None, [])
        if not (is_empty or row_type.is_secret(name) or str(value).lower() == key):
            yield name, value


@dataclass(frozen=True)
class RowFormat:
    """How the columns of rows are called, and their values shown."""

    find_label: Callable[[RowType, str], Text]
    format_value: Callable[[RowType, str, Any], Any]

    def describe(self, row: PlanRow) -> list[tuple[Text, Any]]:
        """Return (label, value) of a row: why it is refused, what it changes, or what it has."""
        row_type = ROW_TYPES[row.kind]
        if row.verb == Verb.REFUSED:
            return [(_("reason"), row.reason)]
        if row.verb == Verb.CHANGED:
            return [
                (self.find_label(row_type, name), self.format_difference(row_type, name, old, new))
                for name, old, new in row.differences
            ]
        if row.done:
            return []
        return [
            (self.find_label(row_type, name), self.format_value(row_type, name, value))
            for name, value in iter_new_values(row)
        ]

    def format_difference(self, row_type: RowType, name: str, old: Any, new: Any) -> str:
        """Return "old → new"; of a secret only that it changes."""
        if row_type.is_secret(name):
            return _("new value")
        old, new = (self.format_value(row_type, name, value) for value in (old, new))
        return f"{old} → {new}"


def get_column_name(row_type: RowType, name: str) -> str:
    return name


def format_plain_value(row_type: RowType, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


# As files have them; pages have a format of their own, see `plan/details.py`.
TEXT_FORMAT = RowFormat(get_column_name, format_plain_value)


def redact_source(text: str) -> str:
    """Remove the password from a source's URL."""
    scheme, separator, rest = text.partition("://")
    user, at, location = rest.rpartition("@")
    if not separator or not at:
        return text
    return f"{scheme}://{user.partition(':')[0]}@{location}"


# Lines on a terminal


def render_plan(plan: Plan, limit: int | None) -> Iterator[str]:
    """Yield the lines of a plan; of each verb at most `limit` rows, all if it is None."""
    yield _("Import %(number)s: %(source)s (%(format)s), %(state)s") % {
        "number": plan.pk,
        "source": plan.source,
        "format": plan.format,
        "state": plan.get_state_display(),
    }
    yield from render_counts(plan)
    for verb in (Verb.NEW, Verb.CHANGED, Verb.REFUSED):
        yield from render_rows(plan, verb, limit)
    yield from render_losses(plan)
    yield from render_unreverted_rows(plan)


def render_counts(plan: Plan) -> Iterator[str]:
    titles = [str(verb.label) for verb in Verb]
    yield ""
    yield "".join([f"{'':>16}", *(f"{title:>12}" for title in titles)])
    for row_type, numbers in count_by_verb(plan).items():
        yield "".join([f"{row_type.table:>16}", *(f"{number:>12}" for number in numbers.values())])


def render_rows(plan: Plan, verb: PlanRow.Verb, limit: int | None) -> Iterator[str]:
    rows = rows_with_verb(plan, verb, limit)
    for number, row in enumerate(rows):
        if not number:
            yield ""
        yield f"{verb.label:>10}  {row.kind} {row.key}  ({row.place})"
        yield from (f"{'':>12}{name}: {value}" for name, value in TEXT_FORMAT.describe(row))
    if limit is not None and (hidden_count := plan.rows.filter(verb=verb).count() - limit) > 0:
        yield _("… and %(count)s more (--all shows all rows)") % {"count": hidden_count}


def render_losses(plan: Plan) -> Iterator[str]:
    if plan.losses:
        yield ""
        yield _("Other data in the source:")
    for note in plan.notes:
        places = "; ".join(note["places"]) + (" …" if note["count"] > len(note["places"]) else "")
        yield f"  {note['count']} × {note['text']}" + (f" ({places})" if places else "")


def render_unreverted_rows(plan: Plan) -> Iterator[str]:
    for number, row in enumerate(iter_rows(unreverted_rows(plan))):
        if not number:
            yield ""
            yield _("Not undone:")
        yield f"  {row.kind} {row.key}: {row.reason}"


# JSON


def summarize_plan(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.pk,
        "format": plan.format,
        "source": plan.source,
        "state": plan.state,
        "counts": {
            row_type.table: {verb.value: number for verb, number in numbers.items()}
            for row_type, numbers in count_by_verb(plan).items()
        },
        "losses": plan.notes,
    }


def iter_plan_json(plan: Plan) -> Iterator[str]:
    """Yield the whole plan as JSON, piece by piece."""
    yield json.dumps(summarize_plan(plan), ensure_ascii=False)[:-1] + ', "rows": ['
    separator = "\n"
    for row in iter_rows(plan.rows.all()):
        yield separator + json.dumps(serialize_plan_row(row), ensure_ascii=False)
        separator = ",\n"
    yield "]}\n"


def serialize_plan_row(row: PlanRow) -> dict[str, Any]:
    result: dict[str, Any] = {
        "kind": row.kind,
        "key": row.key,
        "verb": row.verb,
        "place": row.place,
    }
    if row.verb == Verb.CHANGED:
        result["changes"] = {name: [old, new] for name, old, new in row.differences}
    if row.verb == Verb.NEW and not row.done:
        row_type = ROW_TYPES[row.kind]
        values = row_type.to_file_values(row.values)
        result["values"] = {n: v for n, v in values.items() if not row_type.is_secret(n)}
    return result | ({"reason": row.reason} if row.reason else {})
