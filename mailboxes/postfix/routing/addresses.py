"""Addresses as Postfix takes them apart and puts them together."""

import ipaddress
import re

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def split_address(address):
    """Return (local part, domain); a name alone has no domain."""
    local_part, at, domain = address.rpartition("@")
    return (local_part, domain) if at else (address, "")


def split_extension(local_part, delimiters):
    """The part that owns the mail and the extension with its sign; `+x` alone is no extension."""
    size = next((n for n, sign in enumerate(local_part) if sign in delimiters), 0)
    if not size or is_never_split(local_part, delimiters):
        return local_part, ""
    return local_part[:size], local_part[size:]


def is_never_split(local_part, delimiters):
    """Names that Postfix never splits, though there may be a sign in them."""
    name = local_part.lower()
    of_a_list = name.startswith("owner-") or name.endswith("-request")
    return name in ("mailer-daemon", "double-bounce") or ("-" in delimiters and of_a_list)


def add_extension(target, extension):
    local_part, at, domain = target.rpartition("@")
    return f"{local_part}{extension}@{domain}" if at else f"{target}{extension}"


ATOM_PATTERN = r"[^\x00-\x20\x7f()<>@,;:\\\".\[\]]+"
DOT_STRING_RE = re.compile(rf"{ATOM_PATTERN}(\.{ATOM_PATTERN})*")
HOST_LABEL_RE = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
MAX_HOSTNAME_LENGTH = 255


def quote_address(address):
    """As it is written: what is no plain name stands in quotes."""
    local_part, at, domain = address.rpartition("@")
    return f"{quote_local_part(local_part)}@{domain}" if at else quote_local_part(address)


def quote_local_part(local_part: str) -> str:
    if DOT_STRING_RE.fullmatch(local_part):
        return local_part
    escaped = re.sub(r'(["\\\r])', r"\\\1", local_part)
    return f'"{escaped}"'


def has_deliverable_syntax(address: str) -> bool:
    """Whether Postfix looks for a way at all, or bounces: bad address syntax."""
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
    """Whether the text in brackets is an IP address."""
    try:
        ipaddress.ip_address(re.sub("^ipv6:", "", text, flags=re.IGNORECASE))
    except ValueError:
        return False
    return True


def remove_duplicates(addresses):
    return list({address.lower(): address for address in reversed(addresses)}.values())[::-1]


def parse_typed_address(text):
    """What somebody typed as an address to ask about."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local_part, domain = split_address(address)
    if not local_part or not domain or any(sign.isspace() for sign in address):
        raise ValidationError(_("“%(value)s” is not an address."), params={"value": text})
    return address
