"""Pages of accounts in a browser: in which settings they are tried, and codes of an app."""

import base64
import time

from mailadmin.accounts.factors.totp import compute_totp

PEOPLE = ("root@example.net", "alice@example.org", "bob@example.org")
SETTINGS = [
    {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"},
    {"viewport": {"width": 390, "height": 844}, "locale": "de-DE"},
]
WITHOUT_JAVASCRIPT = SETTINGS[1] | {"java_script_enabled": False}


def code_of(secret, offset=0):
    secret = base64.b32decode(secret.replace(" ", ""))
    return compute_totp(secret, int(time.time()) // 30 + offset)
