"""The rows that were refused, as a file of their own: to be mended and given again."""

import csv
import json
from pathlib import Path

from mailadmin.db.pagination import one_by_one
from mailadmin.tables.csv_cells import Echo, cell_text, harmless
from mailboxes.models import PlanRow
from mailboxes.transfer.row_types import KINDS


def refused(plan):
    return plan.rows.filter(verb=PlanRow.Verb.REFUSED)


def refused_rows(plan):
    """The same in the order of the source, some at a time."""
    return one_by_one(refused(plan))


def name_of_rejects(plan):
    stem = Path(plan.source.rstrip("/")).stem or "import"
    return f"{stem}.refused.{'csv' if is_list(plan) else 'json'}"


def is_list(plan):
    """One table of a CSV comes back as CSV; all else as the panel's own JSON."""
    if plan.format != "csv":
        return False
    return refused(plan).values("kind").distinct().count() <= 1


def rejects(plan):
    """The file, piece by piece."""
    return as_csv(plan) if is_list(plan) else as_json(plan)


def as_csv(plan):
    """The columns that any of the rows has, and why each was refused."""
    names = {}
    for row in refused_rows(plan):
        names |= dict.fromkeys(row.values)
    if any(name in names for name in ("username", "local_part")):
        names |= {"password": None}
    writer = csv.writer(Echo())
    yield writer.writerow([*names, "error"])
    for row in refused_rows(plan):
        cells = [cell_text(row.values.get(name)) for name in names]
        yield writer.writerow([harmless(cell) for cell in [*cells, row.reason]])


def as_json(plan):
    """The same as the panel's own export, with a reason in each row."""
    yield '{"format": "mailadmin", "version": 1'
    present = None
    for row in refused_rows(plan):
        table = KINDS[row.kind].table
        yield f'{"" if present is None else "]"}, "{table}": [\n' if table != present else ",\n"
        present = table
        yield json.dumps(row.values | {"error": row.reason}, ensure_ascii=False)
    yield "]}\n" if present else "}\n"
