"""How generated app passwords are hashed: as Dovecot hashes each password that is given to it.

All sign-ins come with such a hash, also those with the main password. So it has a salt, which the
statements of the database do not show, and many rounds.
"""

import hashlib
import secrets

from mailboxes.models import AppPasswordSalt
from mailboxes.models.app_passwords import GENERATED_PREFIX

ROUNDS = 1000  # as few that a sign-in takes no longer: less than a millisecond
SALT_BYTES = 16
SALT_NAME_LENGTH = 8


def get_salt() -> str:
    """Return the salt of this installation, which is made when it is first needed."""
    row, _created = AppPasswordSalt.objects.get_or_create(
        pk=1, defaults={"salt": secrets.token_hex(SALT_BYTES)}
    )
    return row.salt


def get_hash_prefix(salt: str) -> str:
    """Return how hashes with this salt begin: those of another installation begin otherwise."""
    name = hashlib.sha256(f"name {salt}".encode()).hexdigest()[:SALT_NAME_LENGTH]
    return f"{GENERATED_PREFIX}{name}$"


def find_hash_prefix() -> str:
    """Return how hashes of this installation begin; empty if it has no app passwords yet."""
    salt = AppPasswordSalt.objects.values_list("salt", flat=True).first()
    return get_hash_prefix(salt) if salt else ""


def hash_app_password(text: str) -> str:
    """Return what is stored for an app password."""
    return hash_with_salt(text, get_salt())


def hash_with_salt(text: str, salt: str) -> str:
    """Return the same for a salt that was read before."""
    digest = text.encode()
    for _round in range(ROUNDS):
        digest = hashlib.sha256(salt.encode() + digest).digest()
    return get_hash_prefix(salt) + digest.hex()
