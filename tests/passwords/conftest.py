"""Cheap hashes for all tests of passwords."""

import pytest


@pytest.fixture(autouse=True)
def cheap_hashes(settings):
    settings.MAILADMIN_PASSWORD_SCHEME = "BLF-CRYPT"
    settings.MAILADMIN_PASSWORD_PREFIX = "auto"
    settings.MAILADMIN_PASSWORD_ROUNDS = 1
