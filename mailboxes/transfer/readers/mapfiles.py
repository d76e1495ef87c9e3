"""Files of Postfix's that list keys and values, in a folder that may be a copy."""

from pathlib import Path

from django.utils.translation import gettext as _

from mailadmin.console import make_printable
from mailboxes.mailserver.config_parser import maps
from mailboxes.mailserver.config_parser.postfix import (
    POSTFIX_FOLDERS,
    PostfixFiles,
    read_logical_lines,
)
from mailboxes.transfer.entries import SourceError

MAX_FILES = 10_000  # that are looked at in a folder


class MapFiles:
    """What main.cf names, and what the files say that are meant."""

    def __init__(self, folder, losses):
        self.folder, self.losses = folder, losses
        self.postfix = PostfixFiles(folder)
        self.root = folder.parent if folder.name == "postfix" else folder  # of what was copied

    def reaches(self, path):
        """Whether a file is of the source: a copy's own, or any that a live configuration names.

        What a copy says of other places is meant for another machine, or was sent to find out
        what this one has there.
        """
        is_live = str(self.folder) in POSTFIX_FOLDERS
        return is_live or Path(path).resolve().is_relative_to(self.root.resolve())

    # Places

    def place(self, path, number):
        names = {"file": self.shown(path), "line": number}
        return _("%(file)s, line %(line)s") % names if number else names["file"]

    def shown(self, path):
        path = Path(path)
        own = path.is_relative_to(self.folder)
        return make_printable(str(path.relative_to(self.folder) if own else path))

    def place_of(self, line):
        return self.place(line.file, line.number)

    def setting(self, name):
        """Where main.cf sets this."""
        return f"{name} ({self.place_of(self.postfix.where(name))})"

    def check_is_text(self, line, place):
        """Whether a line is text; what is none was read with its bytes kept aside."""
        if not any("\ud800" <= letter <= "\udfff" for letter in line):
            return True
        self.losses.add(_("A line with bytes that are no text is left out."), place)
        return False

    # Lists and maps

    def names(self, parameter):
        """(name, place) of the domains that a list spells out, also by file or map."""
        for word, line in self.postfix.iter_words_with_lines(parameter):
            if reference := maps.parse_map_reference(word, line):
                yield from (
                    (key, place) for key, _v, place in self.iter_map_rows(reference, parameter)
                )
            elif word.startswith("/"):
                yield from self._names_of_file(word, parameter, line)
            elif maps.is_hostname(word):
                yield word, self.place_of(line)
            else:
                self._note_unread(word, parameter, line)

    def _names_of_file(self, path, parameter, line):
        for entry in self.read(
            self.find_file(self.postfix.resolve_path(path), path, parameter, line)
        ):
            place = self.place_of(entry.lines[0])
            if self.check_is_text(entry.text, place):
                yield from ((word, place) for word in maps.split_words(entry.text))

    def pairs(self, parameter):
        """(key, value, place) of all maps of a parameter, in the order in which they are asked."""
        for word, line in self.postfix.iter_words_with_lines(parameter):
            if reference := maps.parse_map_reference(word, line):
                yield from self.iter_map_rows(reference, parameter)
            else:
                self._note_unread(word, parameter, line)

    def iter_map_rows(self, reference, parameter):
        """What a map lists; one that has no list is noted."""
        for part in reference.walk():
            if part.type in maps.COMPOSITE_TYPES:
                continue
            if part.is_negated or part.type not in {*maps.TEXT_SOURCE_TYPES, "inline"}:
                self._note_unread(part.text, parameter, part.where)
            else:
                yield from self._iter_part_rows(part, parameter)

    def _iter_part_rows(self, part, parameter):
        if part.type == "inline":
            place = self.place_of(part.where)
            if self.check_is_text(part.name, place):
                yield from ((key, value, place) for key, value in part.pairs)
        else:
            path = self.postfix.get_map_path(part)
            yield from self.rows(self.find_file(path, part.name, parameter, part.where))

    def rows(self, path):
        """(key, value, place) of a file's lines."""
        for entry in self.read(path):
            key, *value = entry.text.split(None, 1)
            place = self.place_of(entry.lines[0])
            if self.check_is_text(entry.text, place):
                yield key, value[0].strip() if value else "", place

    def _note_unread(self, word, parameter, line):
        text = _("A map that is no list of keys and values is not read.")
        self.losses.add(text, f"{parameter}: {make_printable(word)} ({self.place_of(line)})")

    # Files

    def read(self, path):
        """The logical lines of a file; UnfitSource if it cannot be read."""
        entries, problems = read_logical_lines(path)
        if problems:
            raise SourceError(problems[0].reason, self.shown(path))
        return entries

    def find_file(self, path, written, parameter, line):
        """The file that is meant: where main.cf says, or the only one of its name."""
        path = Path(path)
        if path.is_file() and self.reaches(path):
            return path
        return self._find_file_by_name(path, written, parameter, line)

    def _find_file_by_name(self, path, written, parameter, line):
        found = [other for other in self.files() if other.name == path.name]
        names = {"parameter": parameter, "file": make_printable(written)}
        if len(found) != 1:
            text = _("%(parameter)s names %(file)s, which is not there.")
            compiled = Path(f"{path}.db")
            if self.reaches(compiled) and compiled.exists():
                text = _("%(parameter)s names %(file)s: its .db is there, its text is not.")
            raise SourceError(text % names, self.place_of(line))
        names["found"] = self.shown(found[0])
        text = _("%(parameter)s names %(file)s, which is not there: %(found)s is read.")
        self.losses.add(text % names, self.place_of(line))
        return found[0]

    def files(self):
        """The ordinary files of the folder and those below."""
        found = []
        for number, path in enumerate(self.folder.rglob("*")):
            if number >= MAX_FILES:
                raise SourceError(_("That folder holds too many files."), str(self.folder))
            if path.is_file() and self.reaches(path):
                found.append(path)
        return sorted(found)
