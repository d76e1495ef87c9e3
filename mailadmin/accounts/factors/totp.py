"""One-time codes of authenticator apps (TOTP, RFC 6238)."""

import base64
import binascii
import hmac
import logging
import secrets
import struct
import time
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction

from mailadmin.accounts.models import Principal, UsedCode
from mailadmin.db.retry import retry_on_deadlock

logger = logging.getLogger("mailadmin.auth")

TOTP_STEP_SECONDS, TOTP_STEP_TOLERANCE = 30, 1
SECRET_BYTES = 20  # as RFC 4226 recommends


def generate_totp_secret() -> str:
    """Generate a secret in base32, as PostfixAdmin stores it too."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def build_totp_uri(secret: str, name: str) -> str:
    """Return the URI that authenticator apps read from a QR code."""
    issuer = urlsplit(settings.MAILADMIN_URL or "").hostname or "mailadmin"
    label = quote(f"{issuer}:{name}", safe="@:")
    return f"otpauth://totp/{label}?" + urlencode({"secret": secret, "issuer": issuer})


def verify_totp(principal: Principal, code: str, secret: str | None = None) -> bool:
    """Return whether this is the code of this step or a neighbour, used for the first time.

    `secret` is one that the principal is about to use; by default it is their present one.
    """
    step = find_totp_step(_decode_totp_secret(principal, secret), code)
    return step is not None and _consume_code(principal, step)


def find_totp_step(secret: bytes, code: str) -> int | None:
    """Return the step of this code, if it is the current one or a neighbour."""
    now = int(time.time()) // TOTP_STEP_SECONDS
    typed = code.strip().encode()
    for step in range(now - TOTP_STEP_TOLERANCE, now + TOTP_STEP_TOLERANCE + 1):
        if secret and hmac.compare_digest(compute_totp(secret, step).encode(), typed):
            return step
    return None


def compute_totp(secret: bytes, step: int) -> str:
    """Return the code of a step: RFC 6238 with SHA-1, six digits and thirty seconds."""
    mac = hmac.digest(secret, struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    return f"{(struct.unpack_from('>I', mac, offset)[0] & 0x7FFFFFFF) % 1_000_000:06}"


def _decode_totp_secret(principal: Principal, secret: str | None) -> bytes:
    text = (secret or principal.totp_secret or "").replace(" ", "").rstrip("=").upper()
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
