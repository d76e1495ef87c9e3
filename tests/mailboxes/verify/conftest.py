"""Servers of the tests of `mailserver verify`."""

import contextlib

import pytest

from tests.base import build_world
from tests.mailboxes.verify.verifying import altered, reload_dovecot, reload_postfix


@pytest.fixture
def server(running, transactional_db):
    build_world()
    return running


@pytest.fixture
def changed(server):
    """Change some of its files for one test; afterwards reload Postfix."""
    with contextlib.ExitStack() as until_the_end:

        def change(name, old, new):
            until_the_end.enter_context(altered(server.folder / name, old, new))

        yield change
    reload_postfix(server)


@pytest.fixture
def forgetful(server):
    """Let Dovecot read its files again after they are restored."""
    yield
    reload_dovecot(server)
