"""Rows that name a domain or an address as text, where no key points to it."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from domains.models import DkimSigning, TotpException
from mailadmin.changes.perform import Changes


def delete_text_references(changes: Changes, keys: list[str]) -> None:
    """Delete the rows that name these addresses or domains."""
    for rows in get_text_references(keys):
        changes.delete(rows)


def get_text_references(
    keys: Sequence[str],
) -> tuple[QuerySet[TotpException], QuerySet[DkimSigning]]:
    """Return the TOTP exceptions and the DKIM authors that name these addresses or domains."""
    exceptions, signings = Q(username__in=keys), Q(author__in=keys)
    for key in keys:
        if "@" not in key:
            exceptions |= Q(username__endswith=f"@{key}")
            signings |= Q(author__endswith=f"@{key}")
    return TotpException.objects.filter(exceptions), DkimSigning._base_manager.filter(signings)
