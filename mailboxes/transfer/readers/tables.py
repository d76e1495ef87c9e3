"""Where tables come from: a database, named by its URL, or an SQL dump, named by its path."""

from contextlib import contextmanager

from mailboxes.transfer.readers.database import is_database_url, load_database
from mailboxes.transfer.readers.dump import load_dump
from mailboxes.transfer.readers.staging import Staging


@contextmanager
def open_tables(text, is_wanted):
    """A Staging with those tables of a database URL or of a dump's path that are wanted."""
    with Staging() as staging:
        load = load_database if is_database_url(text) else load_dump
        load(str(text), staging, is_wanted)
        yield staging
