"""Readers of other mail systems: one small module each, all yielding entries for the plan.

A reader of tables says with `is_wanted` which it needs, and `read(source, losses)` yields its
entries; it raises SourceError before the first one if the source is not of its system.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any, NamedTuple

from mailboxes.transfer.entries import SourceEntry
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
    """`open` opens what a text names, such as a path or URL; `read` yields its entries.

    Readers take one option: those of the panel's own formats the `table` that a file holds, the
    others the default password `scheme` of the source.
    """

    open: Callable[[str], AbstractContextManager[Any]]
    read: Callable[..., Iterator[SourceEntry]]
    option: str = "scheme"


def build_table_reader(module: ModuleType) -> SourceReader:
    return SourceReader(lambda text: open_tables(text, module.is_wanted), module.read)


READERS = {
    "ispmail": build_table_reader(ispmail),
    "forwardings": build_table_reader(forwardings),
    "postfixadmin": build_table_reader(postfixadmin),
    "hashfiles": SourceReader(hashfiles.open_map_folder, hashfiles.read),
    "csv": SourceReader(csvfiles.open_csv_files, csvfiles.read, option="table"),
    "json": SourceReader(jsonfiles.open_json_file, jsonfiles.read, option="table"),
}


NATIVE_FORMATS = ("csv", "json")  # with the panel's own tables and columns


@contextmanager
def open_source(format_name: str, source: str) -> Iterator[Any]:
    """Open the source that a text names, for the reader of its format."""
    with READERS[format_name].open(source) as opened:
        yield opened
