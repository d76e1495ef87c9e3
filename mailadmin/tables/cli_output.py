"""Print rows for commands: a table on a terminal, TSV for other programs, or JSON."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.management.base import OutputWrapper

from mailadmin.console import make_printable
from mailadmin.tables.csv_cells import format_cell

MAX_COLUMN_WIDTH = 60  # characters, on a terminal
WIDTH_SAMPLE_ROWS = 1000  # the rows that determine the width of columns
CONTROL_CODES = [*range(0x20), *range(0x7F, 0xA0)]  # control a terminal
TSV_ESCAPES = {number: f"\\x{number:02x}" for number in CONTROL_CODES}
TSV_ESCAPES |= str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def print_rows(
    out: OutputWrapper, names: Sequence[str], rows: Iterable[dict[str, Any]], as_json: bool
) -> None:
    """Print rows while they are read: there may be a million."""
    selected = ({name: row[name] for name in names} for row in rows)
    if as_json:
        print_json_list(out, selected)
    elif out.isatty():
        print_table(out, names, selected)
    else:
        print_tsv(out, names, selected)


def print_tsv(out: OutputWrapper, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    out.write("\t".join(names))
    for row in rows:
        out.write("\t".join(format_tsv_cell(value) for value in row.values()))


def print_json_list(out: OutputWrapper, rows: Iterable[dict[str, Any]]) -> None:
    """Print a JSON list, row by row."""
    separator = "["
    for row in rows:
        out.write(separator + json.dumps(row, ensure_ascii=False), ending="")
        separator = ",\n "
    out.write("]" if separator != "[" else "[]")


def print_table(out: OutputWrapper, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Print aligned columns, as wide as the first rows need."""
    lines = ([make_printable(format_cell(value)) for value in row.values()] for row in rows)
    measured = list(itertools.islice(lines, WIDTH_SAMPLE_ROWS))
    widths = [
        min(MAX_COLUMN_WIDTH, max(len(cell) for cell in column))
        for column in zip(names, *measured, strict=True)
    ]
    for cells in itertools.chain([names], measured, lines):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        out.write(line.rstrip())


def format_tsv_cell(value: Any) -> str:
    return format_cell(value).translate(TSV_ESCAPES)


def print_row(out: OutputWrapper, values: Mapping[str, Any], as_json: bool) -> None:
    """Print one row, a column on each line."""
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
