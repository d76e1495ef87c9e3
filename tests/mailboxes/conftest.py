"""Fixtures of tests on mail servers."""

import pytest


@pytest.fixture
def folders(tmp_path):
    return {"postfix": tmp_path / "postfix", "dovecot": tmp_path / "dovecot"}
