"""Rows as commands print them: a table on a terminal, TSV for other programs, or JSON."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from mailadmin.console import make_printable
from mailadmin.tables.csv_cells import format_cell

MAX_COLUMN_WIDTH = 60  # letters of a column on a terminal
WIDTH_SAMPLE_ROWS = 1000  # rows by which the width of columns is chosen
CONTROL_CODES = [*range(0x20), *range(0x7F, 0xA0)]  # which drive a terminal
TSV_ESCAPES = {number: f"\\x{number:02x}" for number in CONTROL_CODES}
TSV_ESCAPES |= str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def print_rows(out, names, rows, as_json):
    """Rows as they come: there may be a million."""
    rows = ({name: row[name] for name in names} for row in rows)
    if as_json:
        return print_json_list(out, rows)
    if out.isatty():
        return print_table(out, names, rows)
    out.write("\t".join(names))
    for row in rows:
        out.write("\t".join(format_tsv_cell(value) for value in row.values()))
    return None


def print_json_list(out, rows) -> None:
    """A JSON list, row by row."""
    before = "["
    for row in rows:
        out.write(before + json.dumps(row, ensure_ascii=False), ending="")
        before = ",\n "
    out.write("]" if before != "[" else "[]")


def print_table(out, names, rows) -> None:
    rows = ([make_printable(format_cell(value)) for value in row.values()] for row in rows)
    measured = list(itertools.islice(rows, WIDTH_SAMPLE_ROWS))
    widths = [
        min(MAX_COLUMN_WIDTH, max(len(cell) for cell in column))
        for column in zip(names, *measured, strict=True)
    ]
    for cells in itertools.chain([names], measured, rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        out.write(line.rstrip())


def format_tsv_cell(value: Any):
    return format_cell(value).translate(TSV_ESCAPES)


def print_row(out, values: Mapping[str, Any], as_json) -> None:
    """One row: column by column."""
    if as_json:
        out.write(json.dumps(values, ensure_ascii=False, indent=2))
        return
    if not out.isatty():
        for name, value in values.items():
            out.write(f"{name}\t{format_tsv_cell(value)}")
        return
    width = max(map(len, values))
    for name, value in values.items():
        out.write(f"{name.ljust(width)}  {make_printable(format_cell(value))}")
