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

__all__ = ["OWN_FORMATS", "READERS", "Reader", "open_tables", "opened"]


class Reader(NamedTuple):
    """`open` makes the text that names a source into what `read` reads, while it is needed."""

    open: Callable
    read: Callable


def of_tables(module):
    return Reader(lambda text: open_tables(text, module.is_wanted), module.read)


READERS = {
    "ispmail": of_tables(ispmail),
    "forwardings": of_tables(forwardings),
    "postfixadmin": of_tables(postfixadmin),
    "hashfiles": Reader(hashfiles.opened, hashfiles.read),
    "csv": Reader(csvfiles.opened, csvfiles.read),
    "json": Reader(jsonfiles.opened, jsonfiles.read),
}


OWN_FORMATS = ("csv", "json")  # of the panel's own columns, and with tables instead of a scheme


@contextmanager
def opened(format_name, source):
    """The source that this text names, ready for the reader of the format."""
    with READERS[format_name].open(source) as ready:
        yield ready
