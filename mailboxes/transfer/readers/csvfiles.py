"""CSV: a file for one table, or a folder or zip of such files. Column names identify the table."""

import csv
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mailadmin.translation import gettext as _
from mailboxes.transfer.entries import Losses, SourceEntry, SourceError
from mailboxes.transfer.readers.bounded import MAX_LINE_BYTES, NumberedLines, open_text_file
from mailboxes.transfer.readers.unpacking import unpack_to_temporary_folder
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE, STAGES
from mailboxes.transfer.row_types.base import RowType

DELIMITERS = ";,\t"
XLSX_MEMBER = "[Content_Types].xml"  # is in every .xlsx
IGNORED_COLUMNS = {"error", "created", "modified"}
ESCAPED_FORMULA_RE = re.compile(r"'(?='*(?:[\t\r\n]|\s*[=+\-@]))")
# Columns that identify a table; the first entry whose columns are all there counts. Tables that
# are not named are identified by their required columns.
IDENTIFYING_COLUMNS = (
    ("alias-domains", {"alias_domain"}),
    ("aliases", {"goto"}),
    ("transports", {"pattern"}),
    ("vacations", {"subject"}),
    ("fetchmail", {"src_server"}),
    ("totp-exceptions", {"ip"}),
    ("dkim-keys", {"private_key"}),
    ("dkim-signings", {"author"}),
    ("sender-permissions", {"address", "mailbox"}),
    ("app-passwords", {"mailbox", "password_hash"}),
    ("admins", {"superadmin"}),
    ("admins", {"domains"}),
    ("mailboxes", {"username"}),
    ("mailboxes", {"local_part"}),
    ("mailboxes", {"address"}),
    ("domains", {"domain"}),
)


@contextmanager
def open_csv_files(text: str) -> Iterator[Sequence[tuple[str | None, Path]]]:
    """Yield (table or None, path) of the files at a path, in the order of their dependencies."""
    with ExitStack() as stack:
        path = Path(text)
        if not path.exists():
            raise SourceError(_("No such file or folder."), str(path))
        name = path.name
        if zipfile.is_zipfile(path):
            path = stack.enter_context(unpack_to_temporary_folder(path))
        yield sort_table_files(path, name) if path.is_dir() else [(None, path)]


def sort_table_files(folder: Path, name: str) -> list[tuple[str, Path]]:
    files = [(path.stem, path) for path in sorted(folder.rglob("*.csv"))]
    unknown = [path.name for table, path in files if table not in ROW_TYPES_BY_TABLE]
    if (folder / XLSX_MEMBER).exists():
        raise SourceError(
            _("This is a spreadsheet. Save it as CSV (UTF-8) and import that file."), name
        )
    if unknown or not files:
        text = _("Files in a folder must be named after their table: %(tables)s.")
        names = ", ".join(f"{table}.csv" for table in ROW_TYPES_BY_TABLE)
        raise SourceError(text % {"tables": names}, unknown[0] if unknown else name)
    return sorted(files, key=lambda file: STAGES[ROW_TYPES_BY_TABLE[file[0]].name])


def read(
    files: Iterable[tuple[str | None, Path]], losses: Losses, table: str | None = None
) -> Iterator[SourceEntry]:
    for file_table, path in files:
        with open_text_file(path) as lines:
            yield from iter_file_entries(lines, table or file_table)


def iter_file_entries(lines: NumberedLines, table: str | None) -> Iterator[SourceEntry]:
    """Yield the entries of one file."""
    header, delimiter = read_header(lines)
    table = table or detect_table(header, lines)
    row_type = ROW_TYPES_BY_TABLE[table]
    names = parse_column_names(header, row_type, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    csv.field_size_limit(MAX_LINE_BYTES)
    while True:
        number, lines.row_bytes = lines.line_number + 1, 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text = _("The file is not valid CSV: %(error)s.") % {"error": error}
            raise SourceError(text, lines.format_place(number)) from error
        if any(cell.strip() for cell in cells):
            yield build_entry(row_type, names, cells, lines.format_place(number))


def read_header(lines: NumberedLines) -> tuple[list[str], str]:
    """Return the cells of the first line, and the delimiter."""
    first_line = next(lines, "")
    if not first_line.strip():
        raise SourceError(
            _("The file is empty. The first line must contain the column names."), lines.name
        )
    delimiter = max(DELIMITERS, key=first_line.count)
    try:
        return next(csv.reader([first_line], delimiter=delimiter)), delimiter
    except csv.Error as error:
        text = _("The file is not valid CSV: %(error)s.") % {"error": error}
        raise SourceError(text, lines.place) from error


def detect_table(header: Iterable[str], lines: NumberedLines) -> str:
    names = {normalize_column_name(cell) for cell in header}
    for table, columns in iter_identifying_columns():
        if columns <= names and table in ROW_TYPES_BY_TABLE:
            return table
    text = _(
        "The table cannot be detected from the columns. The first line must contain the"
        " column names: %(names)s …"
    )
    raise SourceError(
        text % {"names": ", ".join(ROW_TYPES_BY_TABLE["mailboxes"].domain_admin_columns)},
        lines.place,
    )


def iter_identifying_columns() -> Iterator[tuple[str, set[str]]]:
    yield from IDENTIFYING_COLUMNS
    named = {table for table, _columns in IDENTIFYING_COLUMNS}
    for table, row_type in ROW_TYPES_BY_TABLE.items():
        if table not in named:
            yield table, set(row_type.required_columns)


def normalize_column_name(cell: str) -> str:
    return cell.strip().lower().replace("-", "_").replace(" ", "_")


def parse_column_names(header: list[str], row_type: RowType, lines: NumberedLines) -> list[str]:
    """Return the names of the columns; refuse those that are unknown or there twice."""
    names = [normalize_column_name(cell) for cell in header]
    known = {*row_type.columns, *row_type.column_aliases, *IGNORED_COLUMNS}
    if unknown := [cell for cell, name in zip(header, names, strict=True) if name not in known]:
        text = _("%(table)s have no column “%(name)s”. Columns: %(names)s.")
        values = {
            "table": row_type.table,
            "name": unknown[0],
            "names": ", ".join(row_type.columns),
        }
        raise SourceError(text % values, lines.place)
    columns = [row_type.column_aliases.get(name, name) for name in names]
    if duplicates := [name for name, count in Counter(columns).items() if count > 1]:
        raise SourceError(_("Duplicate column %(name)s.") % {"name": duplicates[0]}, lines.place)
    return names


def build_entry(row_type: RowType, names: list[str], cells: list[str], place: str) -> SourceEntry:
    if len(cells) != len(names):
        text = _("%(found)s columns, but the first line has %(wanted)s.")
        error = text % {"found": len(cells), "wanted": len(names)}
        pairs = zip(names, cells)  # noqa: B905
        return SourceEntry(
            row_type.name, {n: c for n, c in pairs if n not in IGNORED_COLUMNS}, place, error
        )
    values = {
        n: unescape_formula(c)
        for n, c in zip(names, cells, strict=True)
        if n not in IGNORED_COLUMNS
    }
    return SourceEntry(row_type.name, values, place)


def unescape_formula(cell: str) -> str:
    """Remove the quote that keeps spreadsheets from running a cell as a formula."""
    return cell[1:] if ESCAPED_FORMULA_RE.match(cell) else cell
