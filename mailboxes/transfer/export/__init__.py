"""Everything on its way out: as JSON, which is complete, as CSV, and as map files of Postfix's.

A writer gives its files as (name, pieces of text), made while they are written; `disk` and
`archive` put them somewhere.
"""

from mailboxes.transfer.export import csvfiles, hashfiles, jsonfiles

__all__ = ["FORMATS", "csvfiles", "hashfiles", "jsonfiles"]

FORMATS = {"csv": csvfiles, "json": jsonfiles, "hashfiles": hashfiles}
