"""Check the operator's texts of mails at each start, and by `manage.py check`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from mailadmin.mails.texts import find_faults


def check_mail_templates(**options: Any) -> list[CheckMessage]:
    """Return an error for each file of the operator's folder that cannot be used."""
    folder = settings.MAILADMIN_MAIL_TEMPLATES
    if not folder:
        return []
    return [
        Error(f"MAILADMIN_MAIL_TEMPLATES: {fault}", id="mailadmin.E001")
        for fault in find_faults(folder)
    ]
