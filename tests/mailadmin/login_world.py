"""Logins of tests."""

import base64
import time
from unittest import mock

from mailadmin.accounts.factors.totp import compute_totp
from tests.base import PASSWORD, World

SECRET = base64.b32encode(b"twenty bytes of test").decode()


class LoginWorld(World):
    def log_in(self, name, password=PASSWORD, client=None, **extra):
        data = {"username": name, "password": password}
        return (client or self.client).post("/login/", data, **extra)

    def is_logged_in(self, client=None):
        return (client or self.client).get("/").status_code == 200

    def setUp(self):
        """Stop the clock of one-time codes, or a step may pass within a test."""
        self.now = time.time()
        clock = mock.patch("mailadmin.accounts.factors.totp.time", mock.Mock(time=lambda: self.now))
        clock.start()
        self.addCleanup(clock.stop)

    def code(self, offset=0):
        return self.code_of(SECRET, offset)

    def code_of(self, secret, offset=0):
        return compute_totp(base64.b32decode(secret), int(self.now) // 30 + offset)
