"""Addresses as Postfix splits, quotes and checks them."""

import ipaddress
import re
from collections.abc import Sequence

from django.core.exceptions import ValidationError

from mailadmin.translation import gettext_lazy as _


def split_address(address: str) -> tuple[str, str]:
    """Return (local part, domain); a name alone has no domain."""
    local_part, at, domain = address.rpartition("@")
    return (local_part, domain) if at else (address, "")


def split_extension(local_part: str, delimiters: str) -> tuple[str, str]:
    """Return (owner, extension with its delimiter); `+x` alone is no extension."""
    size = next((n for n, char in enumerate(local_part) if char in delimiters), 0)
    if not size or is_never_split(local_part, delimiters):
        return local_part, ""
    return local_part[:size], local_part[size:]


def is_never_split(local_part: str, delimiters: str) -> bool:
    """Check for names that Postfix never splits, though they may hold a delimiter."""
    name = local_part.lower()
    is_of_list = name.startswith("owner-") or name.endswith("-request")
    return name in ("mailer-daemon", "double-bounce") or ("-" in delimiters and is_of_list)


def add_extension(target: str, extension: str) -> str:
    local_part, at, domain = target.rpartition("@")
    return f"{local_part}{extension}@{domain}" if at else f"{target}{extension}"


ATOM_PATTERN = r"[^\x00-\x20\x7f()<>@,;:\\\".\[\]]+"
DOT_STRING_RE = re.compile(rf"{ATOM_PATTERN}(\.{ATOM_PATTERN})*")
HOST_LABEL_RE = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
MAX_HOSTNAME_LENGTH = 255


def quote_address(address: str) -> str:
    """Return the address as it is written: a local part that is no dot-string stands in quotes."""
    local_part, at, domain = address.rpartition("@")
    return f"{quote_local_part(local_part)}@{domain}" if at else quote_local_part(address)


def quote_local_part(local_part: str) -> str:
    if DOT_STRING_RE.fullmatch(local_part):
        return local_part
    escaped = re.sub(r'(["\\\r])', r"\\\1", local_part)
    return f'"{escaped}"'


def has_deliverable_syntax(address: str) -> bool:
    """Return False if Postfix bounces mail for this address: bad address syntax."""
    local_part, domain = split_address(address)
    if local_part.startswith("-"):
        return False
    return is_valid_host(domain) if "@" in address else True


def is_valid_host(domain: str) -> bool:
    if domain.startswith("[") and domain.endswith("]"):
        return is_ip_literal(domain[1:-1])
    if not 0 < len(domain) <= MAX_HOSTNAME_LENGTH or domain.replace(".", "").isdigit():
        return False
    return all(HOST_LABEL_RE.fullmatch(label) for label in domain.split("."))


def is_ip_literal(text: str) -> bool:
    try:
        ipaddress.ip_address(re.sub("^ipv6:", "", text, flags=re.IGNORECASE))
    except ValueError:
        return False
    return True


def remove_duplicates(addresses: Sequence[str]) -> list[str]:
    """Return each address once, whatever its case, in its first spelling."""
    return list({address.lower(): address for address in reversed(addresses)}.values())[::-1]


def parse_typed_address(text: str) -> str:
    """Return what a person typed as an address; raise ValidationError if it is none."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local_part, domain = split_address(address)
    if not local_part or not domain or any(char.isspace() for char in address):
        raise ValidationError(
            _("“%(value)s” is not a valid email address."), params={"value": text}
        )
    return address
