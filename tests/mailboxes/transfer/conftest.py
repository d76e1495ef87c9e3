"""Files to import, and the folder of exports."""

import shutil

import pytest

from tests.mailboxes.transfer.reading import SAMPLES, copied


@pytest.fixture
def dump(tmp_path):
    """Write a dump and return its path."""

    def write(text, name="dump.sql"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def etc(tmp_path):
    """A copy of a mail server's /etc."""
    return copied("hash", tmp_path)


@pytest.fixture
def bare(etc):
    """The same maps without main.cf, in one folder with the passwords."""
    (etc / "postfix/main.cf").unlink()
    shutil.rmtree(etc / "dovecot", ignore_errors=False)
    shutil.copy(SAMPLES / "hash/dovecot/users", etc / "postfix")
    return etc / "postfix"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"
