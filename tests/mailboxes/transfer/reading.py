"""Helpers for tests of readers."""

import shutil
from pathlib import Path

from mailboxes.transfer.entries import Losses
from mailboxes.transfer.readers import READERS, open_source

SAMPLES = Path(__file__).parent / "samples"


class Read:
    """Contents of a source: entries by kind, and losses."""

    def __init__(self, format_name, source, **options):
        losses = Losses()
        with open_source(format_name, str(source)) as ready:
            self.entries = list(READERS[format_name].read(ready, losses, **options))
        self.losses = {note.text: note for note in losses}

    @property
    def kinds(self):
        return list(dict.fromkeys(entry.kind for entry in self.entries))

    def of(self, kind):
        return [entry for entry in self.entries if entry.kind == kind]

    def values(self, kind, key):
        """Return key → other values of an entry."""
        found = {}
        for entry in self.of(kind):
            values = dict(entry.values)
            found[values.pop(key)] = values
        return found

    def column(self, kind, key, column):
        return {entry.values[key]: entry.values.get(column) for entry in self.of(kind)}

    def goto(self):
        return self.column("alias", "address", "goto")

    def places(self, text):
        """Return the positions of losses that contain this text."""
        (note,) = [note for whole, note in self.losses.items() if text in whole]
        return note.places

    def has_lost(self, text):
        return any(text in whole for whole in self.losses)


def copied(name, folder):
    """A copy of a sample that a test may change."""
    source = SAMPLES / name
    if source.is_dir():
        return Path(shutil.copytree(source, folder / source.name))
    return Path(shutil.copy(source, folder))


def changed(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path
