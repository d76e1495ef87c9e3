"""CSV: a file for a table, a folder or zip of such files; the columns are told by their names."""

import csv
import re
import zipfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.utils.translation import gettext as _

from mailboxes.transfer.entries import Entry, UnfitSource
from mailboxes.transfer.readers.bounded import LONGEST, opened_text
from mailboxes.transfer.readers.unpacking import unpacked
from mailboxes.transfer.row_types import BY_TABLE, STAGES

DELIMITERS = ";,\t"
SPREADSHEET = "[Content_Types].xml"  # is in every .xlsx
IGNORED = {"error", "created", "modified"}
FORMULA = re.compile(r"'(?='*(?:[\t\r\n]|\s*[=+\-@]))")
# A column that only one table has says which table it is; the first of these that fits.
TELLING = (
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
def opened(text):
    """The files of a path: (table or None, path), in the order in which rows need each other."""
    with ExitStack() as stack:
        path = Path(text)
        if not path.exists():
            raise UnfitSource(_("There is no such file or folder."), str(path))
        name = path.name
        if zipfile.is_zipfile(path):
            path = stack.enter_context(unpacked(path))
        yield in_order(path, name) if path.is_dir() else [(None, path)]


def in_order(folder, name):
    files = [(path.stem, path) for path in sorted(folder.rglob("*.csv"))]
    unknown = [path.name for table, path in files if table not in BY_TABLE]
    if (folder / SPREADSHEET).exists():
        raise UnfitSource(_("This is a spreadsheet: save it as CSV (UTF-8) and import that."), name)
    if unknown or not files:
        text = _("Files of a folder are called after their table: %(tables)s.")
        names = ", ".join(f"{table}.csv" for table in BY_TABLE)
        raise UnfitSource(text % {"tables": names}, unknown[0] if unknown else name)
    return sorted(files, key=lambda file: STAGES[BY_TABLE[file[0]].name])


def read(files, losses, table=None):
    for named, path in files:
        with opened_text(path) as lines:
            yield from rows_of(lines, table or named)


def rows_of(lines, table):
    """The entries of one file."""
    header, delimiter = header_of(lines)
    table = table or table_of(header, lines)
    kind = BY_TABLE[table]
    names = columns_of(header, kind, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    csv.field_size_limit(LONGEST)
    while True:
        number, lines.taken = lines.number + 1, 0
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            text = _("This is no CSV: %(error)s.") % {"error": error}
            raise UnfitSource(text, lines.place_of(number)) from error
        if any(cell.strip() for cell in cells):
            yield entry(kind, names, cells, lines.place_of(number))


def header_of(lines):
    first = next(lines, "")
    if not first.strip():
        raise UnfitSource(_("The file is empty: the first line names the columns."), lines.name)
    delimiter = max(DELIMITERS, key=first.count)
    try:
        return next(csv.reader([first], delimiter=delimiter)), delimiter
    except csv.Error as error:
        text = _("This is no CSV: %(error)s.") % {"error": error}
        raise UnfitSource(text, lines.place) from error


def table_of(header, lines):
    names = {plain_name(cell) for cell in header}
    for table, telling in TELLING:
        if telling <= names and table in BY_TABLE:
            return table
    text = _("No column says which table this is. The first line names the columns: %(names)s …")
    raise UnfitSource(text % {"names": ", ".join(BY_TABLE["mailboxes"].own)}, lines.place)


def plain_name(cell):
    return cell.strip().lower().replace("-", "_").replace(" ", "_")


def columns_of(header, kind, lines):
    """The names of the columns; one that the table does not have, or has twice, ends it."""
    names = [plain_name(cell) for cell in header]
    known = {*kind.columns, *kind.aliases, *IGNORED}
    if unknown := [cell for cell, name in zip(header, names, strict=True) if name not in known]:
        text = _("%(table)s have no column “%(name)s”. They have: %(names)s.")
        names = ", ".join(kind.columns)
        values = {"table": kind.table, "name": unknown[0], "names": names}
        raise UnfitSource(text % values, lines.place)
    given = [kind.aliases.get(name, name) for name in names]
    if twice := [name for name, count in Counter(given).items() if count > 1]:
        raise UnfitSource(
            _("The column %(name)s is there twice.") % {"name": twice[0]}, lines.place
        )
    return names


def entry(kind, names, cells, place):
    if len(cells) != len(names):
        text = _("%(found)s columns, where the first line names %(wanted)s.")
        trouble = text % {"found": len(cells), "wanted": len(names)}
        pairs = zip(names, cells)  # noqa: B905
        return Entry(kind.name, {n: c for n, c in pairs if n not in IGNORED}, place, trouble)
    values = {n: as_typed(c) for n, c in zip(names, cells, strict=True) if n not in IGNORED}
    return Entry(kind.name, values, place)


def as_typed(cell):
    """A cell without the quote that keeps spreadsheets from running it."""
    return cell[1:] if FORMULA.match(cell) else cell
