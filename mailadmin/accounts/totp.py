"""One-time codes (TOTP, RFC 6238)."""

import base64
import binascii
import hmac
import logging
import struct
import time

from django.db import IntegrityError, transaction

from mailadmin.accounts.models import Principal, UsedCode
from mailadmin.db.retry import retry_on_deadlock

logger = logging.getLogger("mailadmin.auth")


TOTP_STEP_SECONDS, TOTP_STEP_TOLERANCE = 30, 1


def verify_totp(principal: Principal, code: str) -> bool:
    """Return whether this is the code of this step or a neighbour, used for the first time."""
    secret = _decode_totp_secret(principal)
    now = int(time.time()) // TOTP_STEP_SECONDS
    typed = code.strip().encode()
    for step in range(now - TOTP_STEP_TOLERANCE, now + TOTP_STEP_TOLERANCE + 1):
        if secret and hmac.compare_digest(compute_totp(secret, step).encode(), typed):
            return _consume_code(principal, step)
    return False


def compute_totp(secret: bytes, step: int) -> str:
    """Return the code of a step: RFC 6238 with SHA-1, six digits and thirty seconds."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack_from('>I', mac, offset)[0] & 0x7FFFFFFF) % 1_000_000:06}"


def _decode_totp_secret(principal: Principal) -> bytes:
    text = (principal.totp_secret or "").replace(" ", "").rstrip("=").upper()
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        logger.error(
            "the TOTP secret of %s is not valid base32: the account cannot sign in", principal.pk
        )
        return b""


def _consume_code(principal: Principal, step: int) -> bool:
    key = f"{principal._meta.label_lower}:{principal.pk}"[:255]
    try:
        return retry_on_deadlock(lambda: _record_used_step(key, step))
    except IntegrityError:
        return False


def _record_used_step(key: str, step: int) -> bool:
    """Store that the code of this step was used; return False if it or a later one was before."""
    with transaction.atomic():
        if UsedCode.objects.filter(key=key, step__gte=step).exists():
            return False
        UsedCode.objects.create(key=key, step=step)
        UsedCode.objects.filter(key=key, step__lt=step).delete()
        return True
