"""Dumps to read."""

from pathlib import Path

import pytest

from mailboxes.transfer.entries import SourceError
from mailboxes.transfer.readers import open_tables

SAMPLES = Path(__file__).parent / "samples"


def everything(table):
    return True


def nothing(table):
    return False


def rows_of(path, table, is_wanted=everything):
    with open_tables(path, is_wanted) as tables:
        return [tuple(row) for row in tables.query(f"SELECT * FROM {table} ORDER BY rowid")]


def refusal(path, is_wanted=everything):
    with pytest.raises(SourceError) as refused, open_tables(path, is_wanted):
        pass
    return str(refused.value)


USERS = "CREATE TABLE users (email varchar(255), password text, quota int);\n"
