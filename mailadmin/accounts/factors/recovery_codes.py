"""Recovery codes: each replaces the second factor once, when the other factors are lost."""

import base64
import secrets
from textwrap import wrap

from django.utils.crypto import salted_hmac

from mailadmin.accounts.factors.models import RecoveryCode
from mailadmin.accounts.models import OwnedQuerySet, Principal

CODE_COUNT = 10
CODE_BYTES = 10  # 80 bits, which nobody can guess, even from the hashes
CODE_LENGTH = 16
GROUP_LENGTH = 4


def generate_recovery_code() -> str:
    """Generate a code in groups of four letters and digits."""
    code = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()
    return "-".join(wrap(code, GROUP_LENGTH))


def normalize_recovery_code(typed: str) -> str:
    """Return a code as it was generated, however it was typed."""
    return "".join(letter for letter in typed.lower() if letter.isalnum())


def hash_recovery_code(typed: str) -> str:
    """Hash a code; it is long and random, so a fast hash is as safe as a slow one."""
    code = normalize_recovery_code(typed)
    return salted_hmac("mailadmin.recovery_code", code, algorithm="sha256").hexdigest()


def is_recovery_code(typed: str) -> bool:
    """Return whether this has the form of a recovery code, not that of a one-time code."""
    return len(normalize_recovery_code(typed)) == CODE_LENGTH


def get_unused_codes(person: Principal) -> OwnedQuerySet:
    return RecoveryCode.objects.owned_by(person).filter(used=None)
