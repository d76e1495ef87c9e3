"""Cells of CSV files that no spreadsheet runs as formulas."""

import re
from typing import Any


class EchoWriter:
    """A file for the csv module whose `write` returns the line."""

    def write(self, value: str) -> str:
        return value


def format_cell(value: Any) -> str:
    """Return a value as the text of a cell."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


# What a spreadsheet runs, and what looks as if it had been escaped already.
FORMULA_RE = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@])")
NUMBER_RE = re.compile(r"-*[\d.]*\d[\d.]*")


def escape_formula(text: str) -> str:
    """Return the cell with a quote in front if a spreadsheet would run it as a formula."""
    return f"'{text}" if FORMULA_RE.match(text) and not NUMBER_RE.fullmatch(text) else text
