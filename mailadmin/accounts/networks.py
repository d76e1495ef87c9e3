"""Client addresses: which belong to trusted proxies, and which to one customer."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from django.conf import settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def get_client_address(meta: Mapping[str, Any]) -> str:
    """Return the address of the client, as far as trusted proxies report it."""
    address = meta.get("REMOTE_ADDR", "")
    if not is_trusted_proxy(address):
        return address
    for hop in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        hop = hop.strip()
        if not is_ip_address(hop):
            break
        address = hop
        if not is_trusted_proxy(hop):
            break
    return address


def is_ip_address(text: str) -> bool:
    return parse_ip(text) is not None


def parse_ip(text: str) -> IPAddress | None:
    """Return the address, unwrapped if it is IPv4 in IPv6; None for any other text."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def is_trusted_proxy(address: str) -> bool:
    """Return whether this is a trusted proxy; one on a local socket has no address."""
    ip = parse_ip(address)
    if ip is None:
        return bool(settings.MAILADMIN_TRUSTED_PROXIES)
    return any(ip in network for network in settings.MAILADMIN_TRUSTED_PROXIES)


def get_client_network(address: str) -> str:
    """Return the part of an address that one customer has: /24 of IPv4, /64 of IPv6."""
    ip = parse_ip(address)
    if ip is None:
        return address
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))
