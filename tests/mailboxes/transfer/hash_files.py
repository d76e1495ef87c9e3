"""Maps in files to import."""

import pytest

from mailboxes.transfer.entries import SourceError
from tests.mailboxes.transfer.reading import SAMPLES, Read

SAMPLE = SAMPLES / "hash/postfix"


PEOPLE = {
    "alpha.example.org": ("alfred", "bob", "charlie"),
    "beta.example.org": ("auntie", "bill", "chou"),
    "gamma.example.org": ("alistair", "ben", "cinder"),
}


def refusal(source):
    with pytest.raises(SourceError) as refused:
        Read("hashfiles", source)
    return str(refused.value)


ALIASES = {
    "@gamma.example.org": ["cinder@gamma.example.org"],
    "bill@beta.example.org": ["bill@beta.example.org", "bill@elsewhere.example"],
    "info@alpha.example.org": [
        *("alfred@alpha.example.org", "bob@alpha.example.org", "info@elsewhere.example"),
    ],
    "info@forwards.example": ["auntie@beta.example.org"],
}
