"""Rows that tests of the API send."""

from tests.base import PASSWORD

DAVE = {"local_part": "dave", "domain": "example.org", "password": PASSWORD, "quota": 100}
