"""CSV as it leaves the panel: plain cells that no spreadsheet runs."""

import re
from typing import Any


class EchoWriter:
    """What csv writes to, where the line itself is wanted."""

    def write(self, value: Any):
        return value


def format_cell(value: Any):
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


# What a spreadsheet would run, and what looks as if it had been kept from that.
FORMULA_RE = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@])")
NUMBER_RE = re.compile(r"-*[\d.]*\d[\d.]*")


def escape_formula(text: str):
    """A cell that a spreadsheet would run as a formula begins with a quote more."""
    return f"'{text}" if FORMULA_RE.match(text) and not NUMBER_RE.fullmatch(text) else text
