"""Check at each start that profiles can be signed."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_profile_key(**options: Any) -> list[CheckMessage]:
    """Return an error if the key cannot sign profiles; that it fits is checked before."""
    if not settings.MAILADMIN_PROFILE_CERTIFICATE_FILE:
        return []
    from mailboxes.client_setup import signature

    certificate = settings.MAILADMIN_PROFILE_CERTIFICATE_FILE
    try:
        signature.sign(b"", certificate, settings.MAILADMIN_PROFILE_KEY_FILE)
    except ValueError as error:
        return [Error(f"MAILADMIN_PROFILE_KEY_FILE: {error}", id="mailadmin.E002")]
    return []
