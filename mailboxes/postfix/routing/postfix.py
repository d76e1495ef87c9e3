"""Route mail for an address as Postfix does: refusal, alias expansion, delivery."""

import itertools
import re

from domains.patterns import VIRTUAL_AGENT
from mailadmin.address_lists import parse_address_list, rewrite_address, strip_domain_spaces
from mailboxes.postfix.addresses import (
    add_extension,
    has_deliverable_syntax,
    quote_address,
    remove_duplicates,
    split_address,
)
from mailboxes.postfix.maps import VACATION_SERVICE
from mailboxes.postfix.paths import ALIAS_EXPANSION_LIMIT
from mailboxes.postfix.routing.lookups import PostfixLookups
from mailboxes.postfix.routing.loops import find_expansion_loop
from mailboxes.postfix.routing.replies import (
    ALIAS_EXPANSION_ERROR_REPLY,
    BAD_RECIPIENT_REPLY,
    QUEUE_WRITE_ERROR_REPLY,
    REJECTING_SERVICES,
    RELAY_DENIED_REPLY,
    USER_UNKNOWN_REPLY,
    format_access_reply,
    format_error_transport_reply,
)
from mailboxes.postfix.routing.route import AliasExpansion, Delivery, Route
from mailboxes.postfix.routing.tables import Lookup, LookupTable

ADDRESS_LENGTH_LIMIT = 1000  # virtual_alias_address_length_limit
EMPTY_ADDRESS_RECIPIENT = "MAILER-DAEMON"  # empty_address_recipient
BAD_SYNTAX_REASON = "5.1.3 bad address syntax"
TRAILING_DOT_RE = re.compile(r"[^.@]\.$")
ROUTING_OPERATORS = "@%!"  # characters by which a local part asks to be routed elsewhere
# Services at which delivery ends whatever the address is, and the kind of that delivery.
TERMINAL_SERVICES = {
    "error": "bounced",
    "retry": "deferred",
    "discard": "discarded",
    VACATION_SERVICE: "autoreply",
}


class ExpansionLimitExceeded(Exception):
    """Aliases lead further than Postfix follows them."""


class InvalidAliasTargets(Exception):
    """A list of targets holds no address: Postfix gives up the whole message."""


class PostfixRouter(PostfixLookups):
    """Follow mail for an address through Postfix."""

    # RCPT TO

    def route(self, address: str) -> Route:
        """Return the whole route of an address, from RCPT TO to the mailboxes."""
        route = Route(address)
        local_part, domain = split_address(address)
        route.kind = self.get_address_class(domain, route.lookups)
        route.reply = self.get_refusal(route, local_part)
        if route.is_accepted:
            self.expand_and_deliver(route)
        return route

    def get_refusal(self, route: Route, local_part: str) -> str:
        """Return Postfix's reply if it refuses this recipient, else an empty one."""
        if local_part.startswith("-"):
            return BAD_RECIPIENT_REPLY
        if route.kind == "default" or has_routing_operator(local_part):
            return RELAY_DENIED_REPLY.format(route.address)
        return self.check_access_maps(route) or self.check_recipient_maps(route)

    def check_access_maps(self, route: Route) -> str:
        """Return the refusal of the first table that decides; one that permits decides too."""
        for table in self.config.smtpd_recipient_restrictions:
            keys = self.iter_access_keys(route.address)
            values = (self.look_up([table], key, route.lookups) for key in keys)
            action = next(filter(None, values), "DUNNO")
            if action.upper() != "DUNNO":
                return format_access_reply(route.address, action)
        return ""

    def check_recipient_maps(self, route: Route) -> str:
        """Return the refusal unless an alias or the table of the class has the recipient."""
        if self._has_recipient(self.config.virtual_alias_maps, route):
            return ""
        transport, text = self.find_transport(route.address, route.kind, route.lookups)
        if transport in REJECTING_SERVICES:
            route.is_refused_by_transport = True
            return format_error_transport_reply(route.address, transport, text)
        tables, name = {
            "virtual": (self.config.virtual_mailbox_maps, "virtual mailbox"),
            "relay": (self.config.relay_recipient_maps, "relay recipient"),
            "local": (self.config.local_recipient_maps, "local recipient"),
            "alias": ([], "virtual alias"),
        }[route.kind]
        if route.kind != "alias" and (not tables or self._has_recipient(tables, route)):
            return ""
        return USER_UNKNOWN_REPLY.format(route.address, name)

    def _has_recipient(self, tables: list[LookupTable], route: Route) -> bool:
        return self.look_up_address(tables, route.address, route.lookups)[0] is not None

    # DATA

    def expand_and_deliver(self, route: Route) -> None:
        try:
            addresses = self.expand(route)
        except ExpansionLimitExceeded:
            route.reply = ALIAS_EXPANSION_ERROR_REPLY
            route.loop, route.is_circle = find_expansion_loop(route.expansions)
        except InvalidAliasTargets:
            route.reply = QUEUE_WRITE_ERROR_REPLY
        else:
            route.deliveries = [self.build_delivery(address) for address in addresses]

    def expand(self, route: Route) -> list[str]:
        """Expand aliases as cleanup(8): the first target replaces the address, others follow."""
        addresses = [route.address]
        expanded: set[str] = set()
        targets: dict[str, list[str]] = {}
        for position in itertools.count():
            if position == len(addresses):
                break
            if len(addresses) > ALIAS_EXPANSION_LIMIT:
                raise ExpansionLimitExceeded
            self._expand_at(position, addresses, expanded, targets, route)
        return remove_duplicates(addresses)

    def _expand_at(
        self,
        position: int,
        addresses: list[str],
        expanded: set[str],
        known_targets: dict[str, list[str]],
        route: Route,
    ) -> None:
        for count in itertools.count():
            address = addresses[position]
            if address.lower() in expanded:
                return
            if count >= ALIAS_EXPANSION_LIMIT:
                raise ExpansionLimitExceeded
            if address not in known_targets:
                known_targets[address] = self.find_targets(address, route)
            targets = known_targets[address]
            if not targets:
                return
            if any(len(target) > ADDRESS_LENGTH_LIMIT for target in targets):
                raise ExpansionLimitExceeded
            addresses[position : position + 1] = targets[:1]
            addresses += targets[1:]
            if address.lower() in [target.lower() for target in targets]:
                expanded.add(address.lower())

    def find_targets(self, address: str, route: Route) -> list[str]:
        """Return the targets by the alias maps, and add the expansion to the route."""
        lookups: list[Lookup] = []
        maps = self.config.virtual_alias_maps
        value, extension = self.look_up_address(maps, address, lookups, with_unquoted=False)
        targets = self.parse_targets(address, value, extension) if value else []
        route.expansions.append(AliasExpansion(address, lookups, targets))
        if value and not targets:
            raise InvalidAliasTargets
        return targets

    def parse_targets(self, address: str, value: str, extension: str) -> list[str]:
        """Return the targets of a row, each with the extension; `@there` keeps the local part."""
        if value.startswith("@"):
            value = quote_address(split_address(address)[0].removesuffix(extension) + value)
        targets = parse_address_list(value, self.config.myorigin, self.config.appended_domain)
        if not self.config.propagates_extensions:
            return targets
        return [add_extension(target, extension) for target in targets]

    # Delivery

    def build_delivery(self, address: str) -> Delivery:
        address = self.resolve_address(address)
        if not has_deliverable_syntax(address):
            return Delivery(address, "malformed", "error", BAD_SYNTAX_REASON)
        delivery = Delivery(address, "unknown")
        domain = split_address(address)[1]
        address_class = self.get_address_class(domain, delivery.lookups) if domain else "local"
        delivery.transport, delivery.nexthop = self.find_transport(
            address, address_class, delivery.lookups
        )
        delivery.kind = self.get_delivery_kind(delivery, address_class)
        return delivery

    def resolve_address(self, address: str) -> str:
        """Return the address to which mail is sent; an empty or bare address is completed.

        Before a domain of the machine's own, or none, another may stand: user%there@here.
        """
        address = f"{EMPTY_ADDRESS_RECIPIENT}{address}" if address in ("", "@") else address
        local_part, at, domain = address.rpartition("@")
        while at and self.is_local_domain(domain) and has_routing_operator(local_part):
            address = local_part if "@" in local_part else self.rewrite_name(local_part)
            local_part, at, domain = address.rpartition("@")
            domain = strip_domain_spaces(domain)
            address = local_part + at + domain
        if at:
            return address[:-1] if TRAILING_DOT_RE.search(address) else address
        if not self.config.myorigin:
            return address
        return f"{address}@{self.config.myorigin}"

    def rewrite_name(self, name: str) -> str:
        return rewrite_address(name, self.config.myorigin, self.config.appended_domain)

    def is_local_domain(self, domain: str) -> bool:
        return not domain or self.is_listed(self.config.mydestination, domain, [])

    def get_delivery_kind(self, delivery: Delivery, address_class: str) -> str:
        delivery.reason = self.config.get_delivery_error(delivery.transport)
        if delivery.reason:
            return "broken"
        if delivery.transport in TERMINAL_SERVICES:
            return TERMINAL_SERVICES[delivery.transport]
        default = self.get_default_transport(address_class, split_address(delivery.address)[1])
        is_default = (delivery.transport, delivery.nexthop) == default
        # virtual(8) looks for the mailbox whatever the next hop and class are.
        if (address_class == "virtual" and is_default) or delivery.transport == VIRTUAL_AGENT:
            return "mailbox" if self.find_mailbox(delivery) else "unknown"
        return {"default": "remote", "alias": "unknown"}.get(address_class, address_class)

    def find_mailbox(self, delivery: Delivery) -> bool:
        """Fill in the mailbox that the delivery agent finds; return False if there is none."""
        for key in self.get_mailbox_keys(delivery):
            path = self.look_up(self.config.virtual_mailbox_maps, key, delivery.lookups)
            if path is not None:
                delivery.row, delivery.nexthop = key.lower(), path
                delivery.quota = self.look_up(self.config.mailbox_limits, key, delivery.lookups)
                return True
        return False

    def get_mailbox_keys(self, delivery: Delivery) -> list[str]:
        """Return the keys with the extension for virtual(8), and without it for Dovecot."""
        if delivery.transport == VIRTUAL_AGENT:
            return [each.key for each in self.iter_owner_keys(delivery.address)]
        local_part, domain = split_address(delivery.address)
        delimiters, chars = self.config.recipient_delimiter, self.config.login_chars
        user = "".join(itertools.takewhile(lambda char: char not in delimiters, local_part))
        is_login = user and (chars is None or set(user) <= chars)
        return [f"{user}@{domain}"] if is_login else []

    # Sending

    def find_sender_logins(self, address: str, lookups: list[Lookup]) -> list[str]:
        """Return the logins that may send as this address."""
        value, _extension = self.look_up_address(
            self.config.smtpd_sender_login_maps, address, lookups
        )
        return split_logins(value or "")


def split_logins(text: str) -> list[str]:
    """Return the logins of an answer, separated by spaces and commas."""
    return re.sub("[,\\s]+", " ", text).split()


def has_routing_operator(local_part: str) -> bool:
    return any(char in local_part for char in ROUTING_OPERATORS)
