"""DKIM keys (RFC 6376): make one, and what its domain publishes in the DNS.

The library is loaded when it is used: commands that need no keys start sooner.
"""

import base64
import re

from django.core.exceptions import ValidationError

from mailadmin.translation import gettext_lazy as _

KEY_BITS = 2048  # of new keys; longer ones do not fit what some DNS providers accept
MIN_BITS = 1024  # of keys that are imported; receivers reject shorter ones
PUBLIC_EXPONENT = 65537
SELECTOR_RE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
MAX_SELECTOR_LENGTH = 63
STRING_LENGTH = 255  # of each string of a TXT record


def generate_private_key() -> str:
    """Return a new private key, as PostfixAdmin and OpenDKIM store it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def derive_public_key(private_key: str) -> str:
    """Return the public key of a private one; refuse what receivers or signers cannot use."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValidationError(_("Enter a private key in PEM format, without a password.")) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValidationError(_("Enter an RSA key."))
    if key.key_size < MIN_BITS:
        text = _("The key has %(bits)s bits. Receivers reject less than %(least)s.")
        raise ValidationError(text, params={"bits": key.key_size, "least": MIN_BITS})
    public = key.public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def validate_selector(selector: str) -> None:
    """Refuse what is no name in the DNS."""
    if len(selector) > MAX_SELECTOR_LENGTH or not SELECTOR_RE.fullmatch(selector):
        raise ValidationError(_("Enter letters, digits and hyphens, such as mail2026."))


def build_record_value(public_key: str | None) -> str:
    """Return the text of the TXT record; empty if the stored key cannot be read."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_public_key((public_key or "").encode())
    except (ValueError, UnsupportedAlgorithm):
        return ""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def quote_record_value(value: str) -> str:
    """Return a text as a zone file has it: in strings of at most 255 characters."""
    parts = [value[start : start + STRING_LENGTH] for start in range(0, len(value), STRING_LENGTH)]
    return " ".join(f'"{part}"' for part in parts)
