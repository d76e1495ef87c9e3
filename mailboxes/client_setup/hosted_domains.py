"""The domains whose mailboxes mail programs can be set up for."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from domains.models import Domain
from mailadmin.names import normalize_address, normalize_domain, validate_address, validate_domain

# Host names below a domain at which mail programs look for their settings.
DISCOVERY_LABELS = ("autoconfig", "autodiscover")


@dataclass(frozen=True)
class HostedDomain:
    """A domain with mailboxes here; the mailboxes of an alias domain are those of its target."""

    name: str
    login_domain: str

    def get_login(self, address: str) -> str:
        """Return the name that the owner of an address signs in with, if there is one."""
        return f"{address.rpartition('@')[0]}@{self.login_domain}"

    @property
    def is_alias_domain(self) -> bool:
        return self.name != self.login_domain


def find_hosted_domains(names: Iterable[str]) -> dict[str, HostedDomain]:
    """Return those of the names that are active domains with mailboxes here, by one query.

    The mailboxes of backup MX domains are on another server.
    """
    rows = Domain.objects.filter(pk__in=names, active=True, backupmx=False).values_list(
        "pk",
        "mirror__active",
        "mirror__target_domain",
        "mirror__target_domain__active",
        "mirror__target_domain__backupmx",
    )
    found = {}
    for name, is_alias, target, is_active, is_backup in rows:
        if not is_alias:
            found[name.lower()] = HostedDomain(name.lower(), name.lower())
        elif is_active and not is_backup:
            found[name.lower()] = HostedDomain(name.lower(), target.lower())
    return found


def parse_domain_name(text: str) -> str:
    """Return a domain as it is stored, or an empty text if it is none."""
    try:
        domain = normalize_domain(text)
        validate_domain(domain)
    except ValidationError:
        return ""
    return domain


def parse_address(text: str) -> str:
    """Return an address as it is stored, or an empty text if it is none."""
    try:
        address = normalize_address(text)
        validate_address(address)
    except ValidationError:
        return ""
    return address


def get_domains_of_host(host: str) -> list[str]:
    """Return the names of domains that a host name may stand for."""
    label, _dot, parent = host.partition(".")
    names = [host, parent] if label.lower() in DISCOVERY_LABELS else [host]
    return list(filter(None, map(parse_domain_name, names)))
