"""One-time codes (TOTP, RFC 6238)."""

import base64
import binascii
import hmac
import logging
import struct
import time

from django.db import IntegrityError, transaction

from mailadmin.accounts.models import UsedCode
from mailadmin.changes.perform import retry_on_deadlock

logger = logging.getLogger("mailadmin.auth")


TOTP_STEP_SECONDS, TOTP_STEP_TOLERANCE = 30, 1


def verify_totp(person, code):
    """Whether this is the code of this step or one beside it, used for the first time."""
    secret = _decode_totp_secret(person)
    now = int(time.time()) // TOTP_STEP_SECONDS
    typed = code.strip().encode()
    for step in range(now - TOTP_STEP_TOLERANCE, now + TOTP_STEP_TOLERANCE + 1):
        if secret and hmac.compare_digest(compute_totp(secret, step).encode(), typed):
            return _consume_code(person, step)
    return False


def compute_totp(secret, step) -> str:
    """RFC 6238 with the usual choices: SHA-1, six digits, thirty seconds."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack_from('>I', mac, offset)[0] & 0x7FFFFFFF) % 1_000_000:06}"


def _decode_totp_secret(person):
    text = person.totp_secret.replace(" ", "").rstrip("=").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        logger.error(
            "the one-time secret of %s is not base32: nobody can sign in with it", person.pk
        )
        return b""


def _consume_code(person, step):
    key = f"{person._meta.label_lower}:{person.pk}"[:255]
    try:
        return retry_on_deadlock(lambda: _record_used_step(key, step))
    except IntegrityError:
        return False


def _record_used_step(key, step) -> bool:
    """Note that the code of this step is used; False where one as new or newer was used before."""
    with transaction.atomic():
        if UsedCode.objects.filter(key=key, step__gte=step).exists():
            return False
        UsedCode.objects.create(key=key, step=step)
        UsedCode.objects.filter(key=key, step__lt=step).delete()
        return True
