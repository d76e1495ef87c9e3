"""Sign-ins of tests."""

import base64
import time

from django.test import Client

from mailadmin.accounts.factors.totp import compute_totp
from mailadmin.accounts.throttling import (
    MAX_FAILURES_PER_ACCOUNT,
    MAX_FAILURES_PER_CLIENT,
)
from tests.base import PASSWORD, World

SECRET = base64.b32encode(b"twenty bytes of test").decode()
HOME, STRANGE = "192.0.2.7", "198.51.100.9"


def code(offset=0):
    return compute_totp(base64.b32decode(SECRET), int(time.time()) // 30 + offset)


class SignIn(World):
    def sign_in_as(self, name, password=PASSWORD, address=HOME, client=None):
        data = {"username": name, "password": password}
        return (client or Client()).post("/login/", data, REMOTE_ADDR=address)

    def guess(self, name, times=MAX_FAILURES_PER_CLIENT + 1, address=STRANGE):
        return [self.sign_in_as(name, f"wrong{n}", address).status_code for n in range(times)]

    def guess_from_everywhere(self, name):
        """Guess like a botnet: from one network after the other, below the limit of each."""
        for number in range(MAX_FAILURES_PER_ACCOUNT // MAX_FAILURES_PER_CLIENT + 1):
            self.guess(name, MAX_FAILURES_PER_CLIENT, f"203.0.{number}.1")
