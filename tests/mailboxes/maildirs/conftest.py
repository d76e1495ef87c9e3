"""The storage of the tests of maildirs."""

import pytest

from tests.mailboxes.maildirs.storage import BOB, DORA, EVE, MailStorage, create_world


@pytest.fixture
def storage(tmp_path, settings, transactional_db):
    """Return a storage with the maildirs of bob, dora and eve; only bob has a mailbox."""
    storage = MailStorage(tmp_path, settings)
    create_world()
    for address in (BOB, DORA, EVE):
        storage.maildir(address)
    return storage
