"""CSV: a file for a table, a folder or zip of such files; the columns are told by their names."""

import csv
import re
import zipfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import SourceEntry, SourceError
from mailboxes.transfer.readers.bounded import MAX_LINE_BYTES, open_text_file
from mailboxes.transfer.readers.unpacking import unpack_to_temporary_folder
from mailboxes.transfer.row_types import ROW_TYPES_BY_TABLE, STAGES

DELIMITERS = ";,\t"
XLSX_MEMBER = "[Content_Types].xml"  # is in every .xlsx
IGNORED_COLUMNS = {"error", "created", "modified"}
ESCAPED_FORMULA_RE = re.compile(r"'(?='*(?:[\t\r\n]|\s*[=+\-@]))")
# A column that only one table has says which table it is; the first of these that fits.
IDENTIFYING_COLUMNS = (
    ("alias-domains", {"alias_domain"}),
    ("aliases", {"goto"}),
    ("transports", {"pattern"}),
    ("vacations", {"subject"}),
    ("fetchmail", {"src_server"}),
    ("totp-exceptions", {"ip"}),
    ("dkim-keys", {"private_key"}),
    ("dkim-signings", {"author"}),
    ("app-passwords", {"mailbox", "password_hash"}),
    ("admins", {"superadmin"}),
    ("admins", {"domains"}),
    ("mailboxes", {"username"}),
    ("mailboxes", {"local_part"}),
    ("mailboxes", {"address"}),
    ("domains", {"domain"}),
)


@contextmanager
def open_csv_files(text):
    """The files of a path: (table or None, path), in the order in which rows need each other."""
    with ExitStack() as stack:
        path = Path(text)
        if not path.exists():
            raise SourceError(_("There is no such file or folder."), str(path))
        name = path.name
        if zipfile.is_zipfile(path):
            path = stack.enter_context(unpack_to_temporary_folder(path))
        yield sort_table_files(path, name) if path.is_dir() else [(None, path)]


def sort_table_files(folder, name):
    files = [(path.stem, path) for path in sorted(folder.rglob("*.csv"))]
    unknown = [path.name for table, path in files if table not in ROW_TYPES_BY_TABLE]
    if (folder / XLSX_MEMBER).exists():
        raise SourceError(_("This is a spreadsheet: save it as CSV (UTF-8) and import that."), name)
    if unknown or not files:
        text = _("Files of a folder are called after their table: %(tables)s.")
        names = ", ".join(f"{table}.csv" for table in ROW_TYPES_BY_TABLE)
        raise SourceError(text % {"tables": names}, unknown[0] if unknown else name)
    return sorted(files, key=lambda file: STAGES[ROW_TYPES_BY_TABLE[file[0]].name])


def read(files, losses, table=None):
    for named, path in files:
        with open_text_file(path) as lines:
            yield from iter_file_entries(lines, table or named)


def iter_file_entries(lines, table):
    """The entries of one file."""
    header, delimiter = read_header(lines)
    table = table or detect_table(header, lines)
    kind = ROW_TYPES_BY_TABLE[table]
    names = parse_column_names(header, kind, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    csv.field_size_limit(MAX_LINE_BYTES)
    while True:
        number, lines.taken = lines.number + 1, 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text = _("This is no CSV: %(error)s.") % {"error": error}
            raise SourceError(text, lines.place_of(number)) from error
        if any(cell.strip() for cell in cells):
            yield build_entry(kind, names, cells, lines.place_of(number))


def read_header(lines):
    first = next(lines, "")
    if not first.strip():
        raise SourceError(_("The file is empty: the first line names the columns."), lines.name)
    delimiter = max(DELIMITERS, key=first.count)
    try:
        return next(csv.reader([first], delimiter=delimiter)), delimiter
    except csv.Error as error:
        text = _("This is no CSV: %(error)s.") % {"error": error}
        raise SourceError(text, lines.place) from error


def detect_table(header, lines):
    names = {normalize_column_name(cell) for cell in header}
    for table, telling in IDENTIFYING_COLUMNS:
        if telling <= names and table in ROW_TYPES_BY_TABLE:
            return table
    text = _("No column says which table this is. The first line names the columns: %(names)s …")
    raise SourceError(
        text % {"names": ", ".join(ROW_TYPES_BY_TABLE["mailboxes"].domain_admin_columns)},
        lines.place,
    )


def normalize_column_name(cell):
    return cell.strip().lower().replace("-", "_").replace(" ", "_")


def parse_column_names(header, kind, lines):
    """The names of the columns; one that the table does not have, or has twice, ends it."""
    names = [normalize_column_name(cell) for cell in header]
    known = {*kind.columns, *kind.aliases, *IGNORED_COLUMNS}
    if unknown := [cell for cell, name in zip(header, names, strict=True) if name not in known]:
        text = _("%(table)s have no column “%(name)s”. They have: %(names)s.")
        names = ", ".join(kind.columns)
        values = {"table": kind.table, "name": unknown[0], "names": names}
        raise SourceError(text % values, lines.place)
    given = [kind.aliases.get(name, name) for name in names]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise SourceError(
            _("The column %(name)s is there twice.") % {"name": twice[0]}, lines.place
        )
    return names


def build_entry(kind, names, cells, place):
    if len(cells) != len(names):
        text = _("%(found)s columns, where the first line names %(wanted)s.")
        trouble = text % {"found": len(cells), "wanted": len(names)}
        pairs = zip(names, cells)  # noqa: B905
        return SourceEntry(
            kind.name, {n: c for n, c in pairs if n not in IGNORED_COLUMNS}, place, trouble
        )
    values = {
        n: unescape_formula(c)
        for n, c in zip(names, cells, strict=True)
        if n not in IGNORED_COLUMNS
    }
    return SourceEntry(kind.name, values, place)


def unescape_formula(cell):
    """A cell without the quote that keeps spreadsheets from running it."""
    return cell[1:] if ESCAPED_FORMULA_RE.match(cell) else cell
