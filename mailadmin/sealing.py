"""Encrypt secrets that are stored until a job has read them, such as plain passwords.

Access to the database alone is not enough to read them.
"""

import base64
import hashlib
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def seal_text(text: str, purpose: bytes) -> str:
    return get_cipher(purpose).encrypt(text.encode()).decode()


def unseal_text(sealed: str, purpose: bytes) -> str:
    """Return the text; empty if it was not sealed with this key for this purpose."""
    from cryptography.fernet import InvalidToken

    try:
        return get_cipher(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return ""


def get_cipher(purpose: bytes) -> "Fernet":
    """Return the cipher of this panel's secret key for one purpose.

    Its library is loaded when it is used: commands that need no secrets start sooner.
    """
    from cryptography.fernet import Fernet

    key = hashlib.blake2b(settings.SECRET_KEY.encode(), digest_size=32, person=purpose).digest()
    return Fernet(base64.urlsafe_b64encode(key))
