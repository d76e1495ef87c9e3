"""Fixtures of tests on mail servers."""

import pytest

from tests import mailservers


@pytest.fixture
def folders(tmp_path):
    return {"postfix": tmp_path / "postfix", "dovecot": tmp_path / "dovecot"}


@pytest.fixture(scope="module")
def running(django_db_setup, django_db_blocker, request):
    """Postfix and Dovecot as the panel configures them for the tests' database."""
    with django_db_blocker.unblock(), mailservers.MailServer() as server:
        mailservers.open_database(server, request)
        yield server.run()
