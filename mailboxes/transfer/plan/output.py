"""What a plan says, in words and numbers: the same for the command and the pages."""

import json

from django.db.models import Count
from django.utils.translation import gettext as _

from mailadmin.db.pagination import one_by_one
from mailboxes.models import PlanRow
from mailboxes.transfer.plan.revert import left_behind
from mailboxes.transfer.row_types import KINDS, STAGES

Verb = PlanRow.Verb
NAMES = list(STAGES)


def counts(plan):
    """For each table that the plan has rows of: its title, and how many of each verb."""
    found = {}
    for row in plan.rows.values("stage", "verb").annotate(count=Count("*")).order_by("stage"):
        kind = KINDS[NAMES[row["stage"]]]
        found.setdefault(kind, dict.fromkeys(Verb, 0))[Verb(row["verb"])] = row["count"]
    return found


def first_rows(plan, verb, number=None):
    rows = plan.rows.filter(verb=verb)
    if number is None:
        return one_by_one(rows)  # in the order of the source
    return rows.order_by("stage", "pk")[:number]


def shown_values(row):
    """What a new row holds, as people may read it: no secret, and nothing said twice."""
    kind = KINDS[row.kind]
    values = kind.as_file(row.values)
    key = row.key.lower()
    return [
        (name, in_words(value))
        for name, value in values.items()
        if not kind.is_secret(name) and value not in ("", None, []) and str(value).lower() != key
    ]


def shown_differences(row):
    """(column, old → new) of a changed row; of a secret only that it changes."""
    kind = KINDS[row.kind]
    return [
        (name, _("another") if kind.is_secret(name) else f"{in_words(old)} → {in_words(new)}")
        for name, old, new in row.differences
    ]


def in_words(value):
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)


def shown_source(text):
    """A source as it may be shown: a URL without its password."""
    scheme, sign, rest = text.partition("://")
    user, at, place = rest.rpartition("@")
    if not sign or not at:
        return text
    return f"{scheme}://{user.partition(':')[0]}@{place}"


# Lines for a terminal


def told(plan, shown):
    """The plan as lines; of each verb so many rows, or all."""
    yield _("Plan %(number)s: %(source)s (%(format)s), %(state)s") % {
        "number": plan.pk,
        "source": plan.source,
        "format": plan.format,
        "state": plan.get_state_display(),
    }
    yield from told_counts(plan)
    for verb in (Verb.NEW, Verb.CHANGED, Verb.REFUSED):
        yield from told_rows(plan, verb, shown)
    yield from told_losses(plan)
    yield from told_left(plan)


def told_counts(plan):
    titles = [str(verb.label) for verb in Verb]
    yield ""
    yield "".join([f"{'':>16}", *(f"{title:>12}" for title in titles)])
    for kind, numbers in counts(plan).items():
        yield "".join([f"{kind.table:>16}", *(f"{number:>12}" for number in numbers.values())])


def told_rows(plan, verb, shown):
    rows = first_rows(plan, verb, shown)
    for number, row in enumerate(rows):
        if not number:
            yield ""
        yield f"{verb.label:>10}  {row.kind} {row.key}  ({row.place})"
        yield from (f"{'':>12}{name}: {value}" for name, value in details(row))
    if shown is not None and (rest := plan.rows.filter(verb=verb).count() - shown) > 0:
        yield _("… and %(count)s more (--all shows every row)") % {"count": rest}


def details(row):
    if row.verb == Verb.REFUSED:
        return [(_("why"), row.reason)]
    if row.verb == Verb.CHANGED:
        return shown_differences(row)
    return shown_values(row) if not row.done else []


def told_losses(plan):
    if plan.losses:
        yield ""
        yield _("What the source holds besides, and what becomes of it:")
    for note in plan.losses:
        places = "; ".join(note["places"]) + (" …" if note["count"] > len(note["places"]) else "")
        yield f"  {note['count']} × {note['text']}" + (f" ({places})" if places else "")


def told_left(plan):
    for number, row in enumerate(one_by_one(left_behind(plan))):
        if not number:
            yield ""
            yield _("Not taken back:")
        yield f"  {row.kind} {row.key}: {row.reason}"


# For programs


def about(plan):
    return {
        "plan": plan.pk,
        "format": plan.format,
        "source": plan.source,
        "state": plan.state,
        "counts": {
            kind.table: {verb.value: number for verb, number in numbers.items()}
            for kind, numbers in counts(plan).items()
        },
        "losses": plan.losses,
    }


def as_json(plan):
    """The whole plan, piece by piece."""
    yield json.dumps(about(plan), ensure_ascii=False)[:-1] + ', "rows": ['
    separator = "\n"
    for row in one_by_one(plan.rows.all()):
        yield separator + json.dumps(row_in_json(row), ensure_ascii=False)
        separator = ",\n"
    yield "]}\n"


def row_in_json(row):
    told_row = {"kind": row.kind, "key": row.key, "verb": row.verb, "place": row.place}
    if row.verb == Verb.CHANGED:
        told_row["changes"] = {name: [old, new] for name, old, new in row.differences}
    if row.verb == Verb.NEW and not row.done:
        kind = KINDS[row.kind]
        values = kind.as_file(row.values)
        told_row["values"] = {n: v for n, v in values.items() if not kind.is_secret(n)}
    return told_row | ({"reason": row.reason} if row.reason else {})
