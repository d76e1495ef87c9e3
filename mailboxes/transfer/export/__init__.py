"""Exports: JSON, which is complete, CSV, and map files for Postfix.

A writer yields its files as (name, pieces of text), made while they are written; `disk` and
`archive` store them.
"""

from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles

__all__ = ["FORMATS", "csvfiles", "hashfiles", "jsonfiles"]

FORMATS = {"csv": csvfiles, "json": jsonfiles, "hashfiles": hashfiles}
