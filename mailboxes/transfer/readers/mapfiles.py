"""Postfix's map files and lists in a folder, which may be a copy of another machine's."""

from collections.abc import Iterator
from pathlib import Path

from mailadmin.console import make_printable
from mailadmin.translation import compose
from mailadmin.translation import gettext as _
from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.lines import Line
from mailboxes.mailserver.config_parser.maps import MapReference
from mailboxes.mailserver.config_parser.postfix import (
    POSTFIX_FOLDERS,
    LogicalLine,
    PostfixFiles,
    read_logical_lines,
)
from mailboxes.transfer.entries import Losses, SourceError

MAX_FILES = 10_000  # in a folder


class MapFiles:
    """The maps that main.cf names, and the rows of their files."""

    def __init__(self, folder: Path, losses: Losses) -> None:
        self.folder, self.losses = folder, losses
        self.postfix = PostfixFiles(folder)
        self.root = folder.parent if folder.name == "postfix" else folder  # of what was copied

    def is_in_source(self, path: str | Path) -> bool:
        """Tell whether a file belongs to the source: to the copy, or to a live configuration.

        Paths outside a copy are meant for another machine, or for finding out what exists here.
        """
        is_live = str(self.folder) in POSTFIX_FOLDERS
        return is_live or Path(path).resolve().is_relative_to(self.root.resolve())

    # Places

    def format_place(self, path: str | Path, number: int) -> str:
        name = self.display_path(path)
        return _("%(file)s, line %(line)s") % {"file": name, "line": number} if number else name

    def display_path(self, path: str | Path) -> str:
        path = Path(path)
        is_below = path.is_relative_to(self.folder)
        return make_printable(str(path.relative_to(self.folder) if is_below else path))

    def place_of_line(self, line: Line | None) -> str:
        return self.format_place(line.file, line.number) if line else ""

    def format_setting(self, name: str) -> str:
        """Return where main.cf sets a parameter."""
        place = self.place_of_line(self.postfix.get_line(name))
        return compose("%(name)s (%(place)s)", name=name, place=place)

    def check_is_text(self, line: str, place: str) -> bool:
        """Tell whether a line is text, and note it if not: other bytes were read as surrogates."""
        if not any("\ud800" <= letter <= "\udfff" for letter in line):
            return True
        self.losses.add(_("Line that is not valid text: skipped."), place)
        return False

    # Lists and maps

    def iter_names(self, parameter: str) -> Iterator[tuple[str, str]]:
        """Yield (name, place) of the domains in a list, and in files or maps that it names."""
        for word, line in self.postfix.iter_words_with_lines(parameter):
            if reference := maps.parse_map_reference(word, line):
                yield from (
                    (key, place) for key, _v, place in self.iter_map_rows(reference, parameter)
                )
            elif word.startswith("/"):
                yield from self._iter_names_in_file(word, parameter, line)
            elif maps.is_hostname(word):
                yield word, self.place_of_line(line)
            else:
                self._note_unread(word, parameter, line)

    def _iter_names_in_file(
        self, path: str, parameter: str, line: Line
    ) -> Iterator[tuple[str, str]]:
        for entry in self.read_lines(
            self.find_file(self.postfix.resolve_path(path), path, parameter, line)
        ):
            place = self.place_of_line(entry.lines[0])
            if self.check_is_text(entry.text, place):
                yield from ((word, place) for word in maps.split_words(entry.text))

    def iter_pairs(self, parameter: str) -> Iterator[tuple[str, str, str]]:
        """Yield (key, value, place) of all maps of a parameter, in the order of lookups."""
        for word, line in self.postfix.iter_words_with_lines(parameter):
            if reference := maps.parse_map_reference(word, line):
                yield from self.iter_map_rows(reference, parameter)
            else:
                self._note_unread(word, parameter, line)

    def iter_map_rows(
        self, reference: MapReference, parameter: str
    ) -> Iterator[tuple[str, str, str]]:
        """Yield the rows of a map; note one that is not a list of rows."""
        for part in reference.walk():
            if part.type in maps.COMPOSITE_TYPES:
                continue
            if part.is_negated or part.type not in {*maps.TEXT_SOURCE_TYPES, "inline"}:
                self._note_unread(part.text, parameter, part.line)
            else:
                yield from self._iter_part_rows(part, parameter)

    def _iter_part_rows(self, part: MapReference, parameter: str) -> Iterator[tuple[str, str, str]]:
        if part.type == "inline":
            place = self.place_of_line(part.line)
            if self.check_is_text(part.name, place):
                yield from ((key, value, place) for key, value in part.pairs)
        else:
            path = self.postfix.get_map_path(part)
            yield from self.iter_file_rows(self.find_file(path, part.name, parameter, part.line))

    def iter_file_rows(self, path: str | Path) -> Iterator[tuple[str, str, str]]:
        """Yield (key, value, place) of a file's lines."""
        for entry in self.read_lines(path):
            key, *value = entry.text.split(None, 1)
            place = self.place_of_line(entry.lines[0])
            if self.check_is_text(entry.text, place):
                yield key, value[0].strip() if value else "", place

    def _note_unread(self, word: str, parameter: str, line: Line) -> None:
        text = _("Map that is not a list of keys and values: skipped.")
        names = {"parameter": parameter, "word": make_printable(word)}
        pattern = "%(parameter)s: %(word)s (%(place)s)"
        self.losses.add(text, compose(pattern, place=self.place_of_line(line), **names))

    # Files

    def read_lines(self, path: str | Path) -> list[LogicalLine]:
        """Return the logical lines of a file; raise SourceError if it cannot be read."""
        entries, problems = read_logical_lines(path)
        if problems:
            raise SourceError(problems[0].reason, self.display_path(path))
        return entries

    def find_file(self, path: str | Path, written: str, parameter: str, line: Line | None) -> Path:
        """Return the file that main.cf names, or the only one with that name in the folder."""
        path = Path(path)
        if path.is_file() and self.is_in_source(path):
            return path
        return self._find_file_by_name(path, written, parameter, line)

    def _find_file_by_name(
        self, path: Path, written: str, parameter: str, line: Line | None
    ) -> Path:
        found = [other for other in self.list_files() if other.name == path.name]
        names = {"parameter": parameter, "file": make_printable(written)}
        if len(found) != 1:
            text = _("%(parameter)s names %(file)s, which does not exist.")
            compiled = Path(f"{path}.db")
            if self.is_in_source(compiled) and compiled.exists():
                text = _(
                    "%(parameter)s names %(file)s, of which only the .db file exists. The"
                    " text file is needed."
                )
            raise SourceError(text % names, self.place_of_line(line))
        names["found"] = self.display_path(found[0])
        text = _("%(parameter)s names %(file)s, which does not exist: %(found)s is read instead.")
        self.losses.add(text % names, self.place_of_line(line))
        return found[0]

    def list_files(self) -> list[Path]:
        """Return the regular files of the folder and those below it."""
        paths = []
        for number, path in enumerate(self.folder.rglob("*")):
            if number >= MAX_FILES:
                raise SourceError(_("The folder contains too many files."), str(self.folder))
            if path.is_file() and self.is_in_source(path):
                paths.append(path)
        return sorted(paths)
