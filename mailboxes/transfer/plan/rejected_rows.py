"""The rows that were refused, as a file of their own: to be mended and given again."""

import csv
import json
from pathlib import Path

from mailadmin.db.pagination import iter_rows
from mailadmin.tables.csv_cells import EchoWriter, escape_formula, format_cell
from mailboxes.models import PlanRow
from mailboxes.transfer.row_types import ROW_TYPES


def get_refused_rows(plan):
    return plan.rows.filter(verb=PlanRow.Verb.REFUSED)


def iter_refused_rows(plan):
    """The same in the order of the source, some at a time."""
    return iter_rows(get_refused_rows(plan))


def rejects_filename(plan):
    stem = Path(plan.source.rstrip("/")).stem or "import"
    return f"{stem}.refused.{'csv' if is_single_csv_table(plan) else 'json'}"


def is_single_csv_table(plan):
    """One table of a CSV comes back as CSV; all else as the panel's own JSON."""
    if plan.format != "csv":
        return False
    return get_refused_rows(plan).values("kind").distinct().count() <= 1


def render_rejects(plan):
    """The file, piece by piece."""
    return render_rejects_csv(plan) if is_single_csv_table(plan) else render_rejects_json(plan)


def render_rejects_csv(plan):
    """The columns that any of the rows has, and why each was refused."""
    names = {}
    for row in iter_refused_rows(plan):
        names |= dict.fromkeys(row.values)
    if any(name in names for name in ("username", "local_part")):
        names |= {"password": None}
    writer = csv.writer(EchoWriter())
    yield writer.writerow([*names, "error"])
    for row in iter_refused_rows(plan):
        cells = [format_cell(row.values.get(name)) for name in names]
        yield writer.writerow([escape_formula(cell) for cell in [*cells, row.reason]])


def render_rejects_json(plan):
    """The same as the panel's own export, with a reason in each row."""
    yield '{"format": "mailadmin", "version": 1'
    present = None
    for row in iter_refused_rows(plan):
        table = ROW_TYPES[row.kind].table
        yield f'{"" if present is None else "]"}, "{table}": [\n' if table != present else ",\n"
        present = table
        yield json.dumps(row.values | {"error": row.reason}, ensure_ascii=False)
    yield "]}\n" if present else "}\n"
