"""Tables of a database, named by its URL, or of an SQL dump, named by its path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mailboxes.transfer.readers.database import is_database_url, load_database
from mailboxes.transfer.readers.dump import load_dump
from mailboxes.transfer.readers.staging import Staging, TablePredicate


@contextmanager
def open_tables(location: str | Path, is_wanted: TablePredicate) -> Iterator[Staging]:
    """Load the wanted tables into a Staging, and yield it."""
    with Staging() as staging:
        load = load_database if is_database_url(location) else load_dump
        load(str(location), staging, is_wanted)
        yield staging
