"""Quotas: stored in bytes or MB, typed and shown in MB."""

from decimal import Decimal
from fractions import Fraction

from django.conf import settings

QUOTA_DECIMALS = 20  # after the point: a byte of 2**20 has so many


def megabytes_to_bytes(megabytes: float | Decimal | Fraction | None) -> int:
    """Convert a quota; 0 (unlimited) and -1 (disabled) stay as they are."""
    megabytes = megabytes or 0
    return int(megabytes * settings.MAILADMIN_QUOTA_MULTIPLIER) if megabytes > 0 else int(megabytes)


def bytes_to_megabytes(size: int) -> float:
    return size / settings.MAILADMIN_QUOTA_MULTIPLIER if size > 0 else size


def to_megabytes(size: int) -> float:
    """Return a number of bytes in MB, for people and programs that do not compute with it."""
    return round(size / settings.MAILADMIN_QUOTA_MULTIPLIER, 2)


def exact_megabytes(size: int) -> Fraction | int:
    """Convert to MB from which the same bytes come back."""
    if size <= 0:
        return size
    whole, rest = divmod(size, settings.MAILADMIN_QUOTA_MULTIPLIER)
    return Fraction(size, settings.MAILADMIN_QUOTA_MULTIPLIER) if rest else whole


def file_quota(size: int) -> int | str:
    """Return a quota in MB as files hold it: exact, and no longer than it must be."""
    if size <= 0:
        return size
    megabytes = Decimal(size) / settings.MAILADMIN_QUOTA_MULTIPLIER
    whole = int(megabytes)
    return whole if megabytes == whole else f"{megabytes:.{QUOTA_DECIMALS}f}".rstrip("0")
