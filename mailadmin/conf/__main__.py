"""Print the table of settings, or write it into a page: `python -m mailadmin.conf [PAGE]`."""

import sys
from pathlib import Path

from mailadmin.conf import format_settings_table

ROW_START = "| `MAILADMIN_"


def replace_settings_table(page: str) -> str:
    """Return the page with the rows of its table of settings written anew."""
    lines = [line for line in page.splitlines() if not line.startswith(ROW_START)]
    position = lines.index("|---|---|---|") + 1
    return "\n".join([*lines[:position], *format_settings_table(), *lines[position:]]) + "\n"


def main(arguments: list[str]) -> None:
    for path in map(Path, arguments):
        path.write_text(replace_settings_table(path.read_text("utf-8")), "utf-8")
    if not arguments:
        print("\n".join(format_settings_table()))


if __name__ == "__main__":
    main(sys.argv[1:])
