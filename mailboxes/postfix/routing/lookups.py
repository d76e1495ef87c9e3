"""The keys that Postfix looks up for an address or domain, and in which order."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domains.patterns import WILDCARD_PATTERN, get_parent_domains
from mailadmin.translation import gettext_lazy as _
from mailboxes.postfix.addresses import (
    quote_address,
    quote_local_part,
    split_address,
    split_extension,
)
from mailboxes.postfix.routing.replies import (
    DEFAULT_UNDELIVERABLE_TEXT,
    REJECTING_SERVICES,
    LookupUnavailable,
)
from mailboxes.postfix.routing.tables import Lookup, LookupTable, RoutingConfig

DEFAULT_NEXTHOPS = dict.fromkeys(REJECTING_SERVICES, DEFAULT_UNDELIVERABLE_TEXT)


class AddressKey(NamedTuple):
    """A key for an address, and the extension and local part that belong to it."""

    key: str
    extension: str  # that the key does not have
    local_part: str


class PostfixLookups:
    """Look up addresses and domains as Postfix does.

    Each method takes the list `lookups`, to which it appends what it has looked up.
    """

    def __init__(self, config: RoutingConfig) -> None:
        self.config, self.lookup_count = config, 0

    def look_up(self, tables: Iterable[LookupTable], key: str, lookups: list[Lookup]) -> str | None:
        """Return the value of the first table that has this key."""
        for table in tables:
            if not table.accepts_key(key):
                continue
            self._count(table, key)
            lookup = table.look_up(key)
            lookups.append(lookup)
            if lookup.error:
                raise LookupUnavailable(lookup.error)
            if lookup.value is not None:
                return lookup.value
        return None

    def _count(self, table: LookupTable, key: str) -> None:
        self.lookup_count += key.lower() not in table.cache
        limit = self.config.max_lookups
        if limit is not None and self.lookup_count > limit:
            raise LookupUnavailable(
                _("it has so many targets that more than %(number)d lookups would be needed")
                % {"number": limit}
            )

    def look_up_address(
        self,
        tables: list[LookupTable],
        address: str,
        lookups: list[Lookup],
        with_unquoted: bool = True,
    ) -> tuple[str | None, str]:
        """Return the value and the extension not matched; each key is looked up in all tables."""
        for key, extension in self.iter_address_keys(address, with_unquoted):
            if key not in (address, quote_address(address)):
                tables = [table for table in tables if not table.is_pattern]
            if (value := self.look_up(tables, key, lookups)) is not None:
                return value, extension
        return None, ""

    def is_listed(self, tables: list[LookupTable], domain: str, lookups: list[Lookup]) -> bool:
        return self.look_up(tables, domain, lookups) is not None

    def get_address_class(self, domain: str, lookups: list[Lookup]) -> str:
        """Return which of Postfix's address classes a domain is in."""
        for name, tables in (
            ("local", self.config.mydestination),
            ("alias", self.config.virtual_alias_domains),
            ("virtual", self.config.virtual_mailbox_domains),
        ):
            if self.is_listed(tables, domain, lookups):
                return name
        relay_domains = self.config.relay_domains
        keys = self.iter_domain_keys(domain, self.config.relays_subdomains)
        if any(self.is_listed(relay_domains, key, lookups) for key in keys):
            return "relay"
        return "default"

    def find_transport(
        self, address: str, address_class: str, lookups: list[Lookup]
    ) -> tuple[str, str]:
        """Return transport and next hop, by transport(5): address, domain, parents, wildcard."""
        domain = split_address(address)[1]
        service, destination = self.get_default_transport(address_class, domain)
        for key in self.iter_transport_keys(address, domain):
            if (value := self.look_up(self.config.transport_maps, key, lookups)) is not None:
                transport, _colon, nexthop = value.partition(":")
                if not transport:  # the default transport, though perhaps to another server
                    return service, nexthop or destination
                return transport, nexthop or DEFAULT_NEXTHOPS.get(transport, domain)
        return service, destination

    def get_default_transport(self, address_class: str, domain: str) -> tuple[str, str]:
        """Return transport and next hop of a class; a `:` in a transport map means them too."""
        services = self.config.services
        service, _colon, nexthop = services.get(address_class, services["default"]).partition(":")
        return service, nexthop or domain

    # Keys

    def iter_owner_keys(self, address: str, with_unquoted: bool = True) -> Iterator[AddressKey]:
        """Yield the address, then the address without its extension.

        What needs quotes is looked up with them, then (by all but cleanup) without.
        """
        local_part, domain = split_address(address)
        name, extension = split_extension(local_part, self.config.recipient_delimiter)
        at = "@" if "@" in address else ""
        found = [AddressKey(address, "", local_part)]
        if extension:
            found.append(AddressKey(f"{name}{at}{domain}", extension, name))
        for each in found:
            yield each._replace(key=quote_address(each.key))
            if with_unquoted and quote_address(each.key) != each.key:
                yield each

    def iter_address_keys(self, address: str, with_unquoted: bool) -> Iterator[tuple[str, str]]:
        """Yield (key, extension not matched): owner keys, local parts alone, catch-all."""
        found = list(self.iter_owner_keys(address, with_unquoted)) if address else []
        yield from ((each.key, each.extension) for each in found)
        if "@" not in address:
            return
        domain = split_address(address)[1]
        if domain.lower() == self.config.myorigin or self.is_listed(
            self.config.mydestination, domain, []
        ):
            yield from ((quote_local_part(each.local_part), each.extension) for each in found)
        yield f"@{domain}", ""  # a catch-all drops the extension

    def iter_domain_keys(self, domain: str, matches_parents: bool) -> Iterator[str]:
        """Yield a domain and its parents, as `.example.org` unless they match subdomains."""
        dot = "" if matches_parents else "."
        yield domain
        yield from (dot + parent for parent in get_parent_domains(domain))

    def iter_access_keys(self, address: str) -> Iterator[str]:
        """Yield the keys of access(5): address, domain, parents, local part."""
        keys = [each.key for each in self.iter_owner_keys(address)]
        yield from keys
        yield from self.iter_domain_keys(
            split_address(address)[1], self.config.access_matches_parents
        )
        yield from (f"{split_address(key)[0]}@" for key in keys)

    def iter_transport_keys(self, address: str, domain: str) -> Iterator[str]:
        yield from (each.key for each in self.iter_owner_keys(address))
        yield from self.iter_domain_keys(domain, self.config.transport_matches_parents)
        yield WILDCARD_PATTERN
