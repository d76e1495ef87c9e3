"""Domain names and mail addresses: normalized, validated, and for display."""

import hashlib
import re
from typing import Any

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

DOMAIN_LABEL_RE = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
LOCAL_PART_RE = re.compile(
    r"[a-z0-9!#$%&'*+=?^_{|}~-]+(\.[a-z0-9!#$%&'*+=?^_{|}~-]+)*", re.IGNORECASE | re.ASCII
)
CONTROL_CHARACTER_RE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\ud800-\udfff]")


def normalize_domain(text: str) -> str:
    """Return a domain as it is stored: lower case, ASCII (xn--…)."""
    text = text.strip().rstrip(".").lower()
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise ValidationError(
            _("“%(value)s” is not a domain name."), params={"value": text}
        ) from error


def try_normalize_domain(text: str) -> str:
    """Return a domain as it is stored; other text stays as it is, and matches nothing."""
    try:
        return normalize_domain(text)
    except ValidationError:
        return text


def normalize_address(text: str) -> str:
    """Return an address as it is stored: lower case, the domain in ASCII."""
    local_part, at, domain = text.strip().lower().rpartition("@")
    return f"{local_part}@{normalize_domain(domain)}" if at else domain


def try_normalize_address(text: str) -> str:
    """Return an address or domain as it is stored; other text stays as it is."""
    try:
        return normalize_address(text)
    except ValidationError:
        return text


def domain_to_unicode(domain: str) -> str:
    """Return a domain for display; what cannot be decoded is shown as it is stored."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


def address_to_unicode(address: str) -> str:
    local_part, at, domain = address.rpartition("@")
    return local_part + at + domain_to_unicode(domain)


def validate_domain(domain: str) -> None:
    labels = domain.split(".")
    is_valid = (
        len(domain) <= 253
        and len(labels) > 1
        and all(DOMAIN_LABEL_RE.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )
    if not is_valid:
        raise ValidationError(_("“%(value)s” is not a domain name."), params={"value": domain})


def validate_local_part(local_part: str) -> None:
    if len(local_part) > 64 or not LOCAL_PART_RE.fullmatch(local_part):
        raise ValidationError(
            _("“%(value)s” is not a valid local part. Use a–z, 0–9, dots, hyphens or underscores."),
            params={"value": local_part},
        )


def validate_address(address: str) -> None:
    local_part, at, domain = address.rpartition("@")
    if not at:
        raise ValidationError(
            _("“%(value)s” is not a valid email address."), params={"value": address}
        )
    validate_local_part(local_part)
    validate_domain(domain)


def validate_text(text: str) -> None:
    """Refuse control characters other than line ends and tabs."""
    if CONTROL_CHARACTER_RE.search(text):
        raise ValidationError(
            _("This text contains control characters, which are not allowed here.")
        )


def validate_single_line(text: str) -> None:
    """Refuse line ends, which would start another header in a mail."""
    validate_text(text)
    if "\n" in text or "\r" in text:
        raise ValidationError(_("Line breaks are not allowed here."))


def hash_account(label: str, name: str) -> str:
    """Return the key of an account; a hash, since names are personal data."""
    text = f"{label}:{name.strip().lower()}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def fold(key: Any) -> Any:
    """Return the key in lower case, as MySQL compares addresses regardless of case."""
    return key.lower() if isinstance(key, str) else key
