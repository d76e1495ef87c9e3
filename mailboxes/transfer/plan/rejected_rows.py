"""The rejected rows of a plan as a file, to be corrected and imported again."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from django.db.models import QuerySet

from mailadmin.db.pagination import iter_rows
from mailadmin.downloads import sanitize_filename
from mailadmin.tables.csv_cells import EchoWriter, escape_formula, format_cell
from mailboxes.models import Plan, PlanRow
from mailboxes.transfer.row_types import ROW_TYPES

MAX_STEM_LENGTH = 100  # of a name of a file, which must not be longer than 255 bytes


def get_refused_rows(plan: Plan) -> QuerySet[PlanRow]:
    return plan.rows.filter(verb=PlanRow.Verb.REFUSED)


def iter_refused_rows(plan: Plan) -> Iterator[PlanRow]:
    """Yield the refused rows in the order of the source, loaded some at a time."""
    return iter_rows(get_refused_rows(plan))


def rejects_filename(plan: Plan) -> str:
    """Return a plain name, whatever an upload was called: a command writes a file under it."""
    stem = sanitize_filename(Path(plan.source.rstrip("/")).stem).strip("-. ")[:MAX_STEM_LENGTH]
    stem = stem or "import"
    return f"{stem}.refused.{'csv' if is_single_csv_table(plan) else 'json'}"


def is_single_csv_table(plan: Plan) -> bool:
    """Tell whether the source was CSV and all rows are of one table. Else the file is JSON."""
    if plan.format != "csv":
        return False
    return get_refused_rows(plan).values("kind").distinct().count() <= 1


def render_rejects(plan: Plan) -> Iterator[str]:
    """Yield the file, piece by piece."""
    return render_rejects_csv(plan) if is_single_csv_table(plan) else render_rejects_json(plan)


def render_rejects_csv(plan: Plan) -> Iterator[str]:
    """Yield a CSV file with the columns that any row has, and the reason for each row."""
    names: dict[str, None] = {}
    for row in iter_refused_rows(plan):
        names |= dict.fromkeys(row.values)
    if any(name in names for name in ("username", "local_part")):
        names |= {"password": None}
    writer = csv.writer(EchoWriter())
    yield writer.writerow([*names, "error"])
    for row in iter_refused_rows(plan):
        cells = [format_cell(row.values.get(name)) for name in names]
        yield writer.writerow([escape_formula(cell) for cell in [*cells, row.reason]])


def render_rejects_json(plan: Plan) -> Iterator[str]:
    """Yield the rows in the format of the panel's JSON export, with a reason in each."""
    yield '{"format": "mailadmin", "version": 1'
    current_table = None
    for row in iter_refused_rows(plan):
        table = ROW_TYPES[row.kind].table
        yield (
            f'{"" if current_table is None else "]"}, "{table}": [\n'
            if table != current_table
            else ",\n"
        )
        current_table = table
        yield json.dumps(row.values | {"error": row.reason}, ensure_ascii=False)
    yield "]}\n" if current_table else "}\n"
