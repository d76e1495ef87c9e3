"""Readers of other mail systems: one small module each, all giving entries for the plan.

A reader says which tables it `is_wanted`, and `read(source, losses)` gives its entries; what is
not its system it refuses with UnfitSource before the first of them.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

from mailboxes.transfer.readers import (
    csvfiles,
    forwardings,
    hashfiles,
    ispmail,
    jsonfiles,
    postfixadmin,
)
from mailboxes.transfer.readers.tables import open_tables

__all__ = ["NATIVE_FORMATS", "READERS", "SourceReader", "open_tables", "open_source"]


class SourceReader(NamedTuple):
    """`open` makes the text that names a source into what `read` reads, while it is needed."""

    open: Callable
    read: Callable


def build_table_reader(module):
    return SourceReader(lambda text: open_tables(text, module.is_wanted), module.read)


READERS = {
    "ispmail": build_table_reader(ispmail),
    "forwardings": build_table_reader(forwardings),
    "postfixadmin": build_table_reader(postfixadmin),
    "hashfiles": SourceReader(hashfiles.open_map_folder, hashfiles.read),
    "csv": SourceReader(csvfiles.open_csv_files, csvfiles.read),
    "json": SourceReader(jsonfiles.open_json_file, jsonfiles.read),
}


NATIVE_FORMATS = ("csv", "json")  # of the panel's own columns, and with tables instead of a scheme


@contextmanager
def open_source(format_name, source):
    """The source that this text names, ready for the reader of the format."""
    with READERS[format_name].open(source) as ready:
        yield ready
