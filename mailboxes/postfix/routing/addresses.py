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
    if not size or is_whole(local_part, delimiters):
        return local_part, ""
    return local_part[:size], local_part[size:]


def is_whole(local_part, delimiters):
    """Names that Postfix never splits, though there may be a sign in them."""
    name = local_part.lower()
    of_a_list = name.startswith("owner-") or name.endswith("-request")
    return name in ("mailer-daemon", "double-bounce") or ("-" in delimiters and of_a_list)


def extended(target, extension):
    local_part, at, domain = target.rpartition("@")
    return f"{local_part}{extension}@{domain}" if at else f"{target}{extension}"


ATOM = r"[^\x00-\x20\x7f()<>@,;:\\\".\[\]]+"
DOT_STRING = re.compile(rf"{ATOM}(\.{ATOM})*")
HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
LONGEST_HOST = 255


def quoted(address):
    """As it is written: what is no plain name stands in quotes."""
    local_part, at, domain = address.rpartition("@")
    return f"{quoted_name(local_part)}@{domain}" if at else quoted_name(address)


def quoted_name(local_part: str) -> str:
    if DOT_STRING.fullmatch(local_part):
        return local_part
    escaped = re.sub(r'(["\\\r])', r"\\\1", local_part)
    return f'"{escaped}"'


def is_deliverable(address: str) -> bool:
    """Whether Postfix looks for a way at all, or bounces: bad address syntax."""
    local_part, domain = split_address(address)
    if local_part.startswith("-"):
        return False
    return is_host(domain) if "@" in address else True


def is_host(domain: str) -> bool:
    if domain.startswith("[") and domain.endswith("]"):
        return is_number(domain[1:-1])
    if not 0 < len(domain) <= LONGEST_HOST or domain.replace(".", "").isdigit():
        return False
    return all(HOST_LABEL.fullmatch(label) for label in domain.split("."))


def is_number(text: str) -> bool:
    """Whether the text in brackets is an IP address."""
    try:
        ipaddress.ip_address(re.sub("^ipv6:", "", text, flags=re.IGNORECASE))
    except ValueError:
        return False
    return True


def without_doubles(addresses):
    return list({address.lower(): address for address in reversed(addresses)}.values())[::-1]


def typed_address(text):
    """What somebody typed as an address to ask about."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local_part, domain = split_address(address)
    if not local_part or not domain or any(sign.isspace() for sign in address):
        raise ValidationError(_("“%(value)s” is not an address."), params={"value": text})
    return address
