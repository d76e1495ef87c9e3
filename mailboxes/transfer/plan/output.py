"""What a plan says, in words and numbers: the same for the command and the pages."""

import json

from django.db.models import Count
from django.utils.translation import gettext as _

from mailadmin.db.pagination import iter_rows
from mailboxes.models import PlanRow
from mailboxes.transfer.plan.revert import unreverted_rows
from mailboxes.transfer.row_types import ROW_TYPES, STAGES

Verb = PlanRow.Verb
ROW_TYPE_NAMES = list(STAGES)


def count_by_verb(plan):
    """For each table that the plan has rows of: its title, and how many of each verb."""
    found = {}
    for row in plan.rows.values("stage", "verb").annotate(count=Count("*")).order_by("stage"):
        kind = ROW_TYPES[ROW_TYPE_NAMES[row["stage"]]]
        found.setdefault(kind, dict.fromkeys(Verb, 0))[Verb(row["verb"])] = row["count"]
    return found


def rows_with_verb(plan, verb, number=None):
    rows = plan.rows.filter(verb=verb)
    if number is None:
        return iter_rows(rows)  # in the order of the source
    return rows.order_by("stage", "pk")[:number]


def format_values(row):
    """What a new row holds, as people may read it: no secret, and nothing said twice."""
    kind = ROW_TYPES[row.kind]
    values = kind.to_file_values(row.values)
    key = row.key.lower()
    return [
        (name, format_value(value))
        for name, value in values.items()
        if not kind.is_secret(name) and value not in ("", None, []) and str(value).lower() != key
    ]


def format_differences(row):
    """(column, old → new) of a changed row; of a secret only that it changes."""
    kind = ROW_TYPES[row.kind]
    return [
        (
            name,
            _("another") if kind.is_secret(name) else f"{format_value(old)} → {format_value(new)}",
        )
        for name, old, new in row.differences
    ]


def format_value(value):
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def redact_source(text):
    """A source as it may be shown: a URL without its password."""
    scheme, sign, rest = text.partition("://")
    user, at, place = rest.rpartition("@")
    if not sign or not at:
        return text
    return f"{scheme}://{user.partition(':')[0]}@{place}"


# Lines for a terminal


def render_plan(plan, shown):
    """The plan as lines; of each verb so many rows, or all."""
    yield _("Plan %(number)s: %(source)s (%(format)s), %(state)s") % {
        "number": plan.pk,
        "source": plan.source,
        "format": plan.format,
        "state": plan.get_state_display(),
    }
    yield from render_counts(plan)
    for verb in (Verb.NEW, Verb.CHANGED, Verb.REFUSED):
        yield from render_rows(plan, verb, shown)
    yield from render_losses(plan)
    yield from render_unreverted_rows(plan)


def render_counts(plan):
    titles = [str(verb.label) for verb in Verb]
    yield ""
    yield "".join([f"{'':>16}", *(f"{title:>12}" for title in titles)])
    for kind, numbers in count_by_verb(plan).items():
        yield "".join([f"{kind.table:>16}", *(f"{number:>12}" for number in numbers.values())])


def render_rows(plan, verb, shown):
    rows = rows_with_verb(plan, verb, shown)
    for number, row in enumerate(rows):
        if not number:
            yield ""
        yield f"{verb.label:>10}  {row.kind} {row.key}  ({row.place})"
        yield from (f"{'':>12}{name}: {value}" for name, value in row_details(row))
    if shown is not None and (rest := plan.rows.filter(verb=verb).count() - shown) > 0:
        yield _("… and %(count)s more (--all shows every row)") % {"count": rest}


def row_details(row):
    if row.verb == Verb.REFUSED:
        return [(_("why"), row.reason)]
    if row.verb == Verb.CHANGED:
        return format_differences(row)
    return format_values(row) if not row.done else []


def render_losses(plan):
    if plan.losses:
        yield ""
        yield _("What the source holds besides, and what becomes of it:")
    for note in plan.losses:
        places = "; ".join(note["places"]) + (" …" if note["count"] > len(note["places"]) else "")
        yield f"  {note['count']} × {note['text']}" + (f" ({places})" if places else "")


def render_unreverted_rows(plan):
    for number, row in enumerate(iter_rows(unreverted_rows(plan))):
        if not number:
            yield ""
            yield _("Not taken back:")
        yield f"  {row.kind} {row.key}: {row.reason}"


# For programs


def summarize_plan(plan):
    return {
        "plan": plan.pk,
        "format": plan.format,
        "source": plan.source,
        "state": plan.state,
        "counts": {
            kind.table: {verb.value: number for verb, number in numbers.items()}
            for kind, numbers in count_by_verb(plan).items()
        },
        "losses": plan.losses,
    }


def iter_plan_json(plan):
    """The whole plan, piece by piece."""
    yield json.dumps(summarize_plan(plan), ensure_ascii=False)[:-1] + ', "rows": ['
    separator = "\n"
    for row in iter_rows(plan.rows.all()):
        yield separator + json.dumps(serialize_plan_row(row), ensure_ascii=False)
        separator = ",\n"
    yield "]}\n"


def serialize_plan_row(row):
    told_row = {"kind": row.kind, "key": row.key, "verb": row.verb, "place": row.place}
    if row.verb == Verb.CHANGED:
        told_row["changes"] = {name: [old, new] for name, old, new in row.differences}
    if row.verb == Verb.NEW and not row.done:
        kind = ROW_TYPES[row.kind]
        values = kind.to_file_values(row.values)
        told_row["values"] = {n: v for n, v in values.items() if not kind.is_secret(n)}
    return told_row | ({"reason": row.reason} if row.reason else {})
