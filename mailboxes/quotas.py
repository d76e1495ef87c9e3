"""Quotas in MB, exact to the byte."""

from decimal import Decimal
from fractions import Fraction

from django.conf import settings

QUOTA_DECIMALS = 20  # after the point: a byte of 2**20 has so many


def exact_megabytes(size):
    """A size in MB from which the same bytes come back."""
    return Fraction(size, settings.MAILADMIN_QUOTA_MULTIPLIER) if size > 0 else size


def file_quota(size):
    """A quota in MB as files hold it: exact, and no longer than it must be."""
    if size <= 0:
        return size
    megabytes = Decimal(size) / settings.MAILADMIN_QUOTA_MULTIPLIER
    whole = int(megabytes)
    return whole if megabytes == whole else f"{megabytes:.{QUOTA_DECIMALS}f}".rstrip("0")
