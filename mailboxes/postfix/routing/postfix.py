"""The mechanics: keys, recursion, classes, transports."""

import itertools
import re
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from domains.patterns import VIRTUAL_AGENT, WILDCARD_PATTERN, get_parent_domains
from mailadmin.address_lists import parse_address_list, rewrite_address, strip_domain_spaces
from mailboxes.postfix import maps
from mailboxes.postfix.routing.addresses import (
    add_extension,
    has_deliverable_syntax,
    quote_address,
    quote_local_part,
    remove_duplicates,
    split_address,
    split_extension,
)
from mailboxes.postfix.routing.loops import find_expansion_loop
from mailboxes.postfix.routing.replies import (
    ALIAS_EXPANSION_ERROR_REPLY,
    BAD_RECIPIENT_REPLY,
    DEFAULT_UNDELIVERABLE_TEXT,
    QUEUE_WRITE_ERROR_REPLY,
    REJECTING_SERVICES,
    RELAY_DENIED_REPLY,
    USER_UNKNOWN_REPLY,
    LookupUnavailable,
    format_access_reply,
    format_error_transport_reply,
)
from mailboxes.postfix.routing.tables import Lookup

ALIAS_EXPANSION_LIMIT = 1000  # virtual_alias_recursion_limit, virtual_alias_expansion_limit
ADDRESS_LENGTH_LIMIT = 1000  # virtual_alias_address_length_limit
EMPTY_ADDRESS_RECIPIENT = "MAILER-DAEMON"  # empty_address_recipient
BAD_SYNTAX_REASON = "5.1.3 bad address syntax"
TRAILING_DOT_RE = re.compile(r"[^.@]\.$")
ROUTING_OPERATORS = "@%!"  # signs by which a local part asks to be sent elsewhere
# class → the parameter that knows its recipients, and what Postfix calls it
RECIPIENT_TABLES = {
    "virtual": ("virtual_mailbox_maps", "virtual mailbox"),
    "relay": ("relay_recipient_maps", "relay recipient"),
    "local": ("local_recipient_maps", "local recipient"),
    "alias": ("", "virtual alias"),
}

# Services at which a way ends whatever the address is, and what the text of one says by itself.
TERMINAL_SERVICES = {
    "error": "bounced",
    "retry": "deferred",
    "discard": "discarded",
    maps.VACATION_SERVICE: "autoreply",
}
DEFAULT_NEXTHOPS = dict.fromkeys(REJECTING_SERVICES, DEFAULT_UNDELIVERABLE_TEXT)


@dataclass
class AliasExpansion:
    """An address, whom Postfix asked about it, and where that leads."""

    address: str
    lookups: list[Lookup]
    targets: list[str]


@dataclass
class Delivery:
    """The end of a way."""

    address: str
    # mailbox, relay, remote, virtual, local, unknown, malformed, broken, or one of OWN_ENDS
    kind: str
    transport: str = ""
    nexthop: str = ""
    row: str = ""  # the mailbox, without extension
    quota: str | None = None
    reason: str = ""  # why this cannot work, if it is broken
    lookups: list[Lookup] = field(default_factory=list)


@dataclass
class Route:
    """All that happens to mail for an address."""

    address: str
    kind: str = ""  # the class of its domain
    reply: str = ""  # Postfix's words if it refuses
    lookups: list[Lookup] = field(default_factory=list)  # at RCPT TO
    expansions: list[AliasExpansion] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)  # a way without end, or its beginning
    is_circle: bool = False

    @property
    def is_accepted(self):
        return not self.reply

    @property
    def rcpt_reply(self) -> str:
        """The refusal at RCPT TO; some come only after the message."""
        return (
            ""
            if self.reply in (ALIAS_EXPANSION_ERROR_REPLY, QUEUE_WRITE_ERROR_REPLY)
            else self.reply
        )


class ExpansionLimitExceeded(Exception):
    """Aliases that lead further than Postfix follows them."""


class InvalidAliasTargets(Exception):
    """A list of targets that holds no address: Postfix gives up the whole message."""


class PostfixRouter:
    """Asks as Postfix asks, and remembers whom."""

    def __init__(self, setup):
        self.setup, self.lookup_count = setup, 0

    # Lookups

    def first(self, tables, key, asked):
        """The first table that answers this key."""
        for table in tables:
            if not table.accepts_key(key):
                continue
            self.count(table, key)
            lookup = table.ask(key)
            asked.append(lookup)
            if lookup.trouble:
                raise LookupUnavailable(lookup.trouble)
            if lookup.value is not None:
                return lookup.value
        return None

    def count(self, table, key):
        self.lookup_count += key.lower() not in table.known
        most = self.setup.max_lookups
        if most is not None and self.lookup_count > most:
            raise LookupUnavailable(
                _("it leads to so many addresses that more than %(number)d questions were needed")
                % {"number": most}
            )

    def find(self, tables, address, asked, is_bare=True):
        """The value and the extension it did not match; each key is put to every table in turn."""
        for key, extension in self.iter_address_keys(address, is_bare):
            if key not in (address, quote_address(address)):
                tables = [table for table in tables if not table.is_pattern]
            if (value := self.first(tables, key, asked)) is not None:
                return value, extension
        return None, ""

    def iter_person_keys(self, address):
        """The address as it is, and without its extension."""
        yield from (key for key, _rest, _name in self.names(address))

    def names(self, address, is_bare=True):
        """(key, extension it does not match, local part) of the address and its owner's.

        What stands in quotes is asked for as it is written, then (by all but cleanup) bare.
        """
        local_part, domain = split_address(address)
        name, extension = split_extension(local_part, self.setup.recipient_delimiter)
        at = "@" if "@" in address else ""
        owners = [(f"{name}{at}{domain}", extension, name)] if extension else []
        for person, rest, part in [(address, "", local_part), *owners]:
            for key in dict.fromkeys(
                [quote_address(person), person] if is_bare else [quote_address(person)]
            ):
                yield key, rest, part

    def iter_address_keys(self, address, is_bare):
        domain = split_address(address)[1]
        names = list(self.names(address, is_bare)) if address else []
        yield from ((key, rest) for key, rest, _name in names)
        if "@" not in address:
            return
        if domain.lower() == self.setup.myorigin or self.holds("mydestination", domain, []):
            yield from ((quote_local_part(name), rest) for _key, rest, name in names)
        yield f"@{domain}", ""  # a catch-all drops the extension

    def holds(self, parameter, domain, asked):
        return self.first(getattr(self.setup, parameter), domain, asked) is not None

    def get_address_class(self, domain, asked):
        """Which of Postfix's address classes a domain is in."""
        if self.holds("mydestination", domain, asked):
            return "local"
        if self.holds("virtual_alias_domains", domain, asked):
            return "alias"
        if self.holds("virtual_mailbox_domains", domain, asked):
            return "virtual"
        if any(self.holds("relay_domains", name, asked) for name in self.iter_relay_keys(domain)):
            return "relay"
        return "default"

    def iter_relay_keys(self, domain):
        dot = "" if self.setup.relays_subdomains else "."
        yield domain
        yield from (dot + parent for parent in get_parent_domains(domain))

    # RCPT TO

    def route(self, address):
        """The whole way of an address, from the question at the door to the mailboxes."""
        route = Route(address)
        local_part, domain = split_address(address)
        route.kind = self.get_address_class(domain, route.lookups)
        route.reply = self.refusal(route, local_part)
        if route.is_accepted:
            self.expand_and_deliver(route)
        return route

    def refusal(self, route, local_part):
        """What Postfix answers a stranger who names this recipient; nothing if it takes it."""
        address, asked = route.address, route.lookups
        if local_part.startswith("-"):
            return BAD_RECIPIENT_REPLY
        if route.kind == "default" or any(sign in local_part for sign in ROUTING_OPERATORS):
            return RELAY_DENIED_REPLY.format(address)
        return self.check_access_maps(address, asked) or self.unknown(route)

    def check_access_maps(self, address, asked):
        """The first table that decides: what it lets pass no later one refuses."""
        for table in self.setup.smtpd_recipient_restrictions:
            values = (self.first([table], key, asked) for key in self.iter_access_keys(address))
            action = next(filter(None, values), "DUNNO")
            if action.upper() != "DUNNO":
                return format_access_reply(address, action)
        return ""

    def iter_access_keys(self, address):
        """By access(5): the address, its domain and those above, the name alone."""
        domain = split_address(address)[1]
        dot = "" if self.setup.access_matches_parents else "."
        yield from self.iter_person_keys(address)
        yield domain
        yield from (dot + parent for parent in get_parent_domains(domain))
        yield from (f"{split_address(key)[0]}@" for key in self.iter_person_keys(address))

    def unknown(self, route):
        """Recipients are known by an alias or by the table of their class."""
        if self.find(self.setup.virtual_alias_maps, route.address, route.lookups)[0] is not None:
            return ""
        transport, text = self.transport(route.address, route.kind, route.lookups)
        if transport in REJECTING_SERVICES:
            return format_error_transport_reply(route.address, transport, text)
        parameter, table = RECIPIENT_TABLES[route.kind]
        tables = getattr(self.setup, parameter) if parameter else []
        if parameter and not tables:
            return ""
        if self.find(tables, route.address, route.lookups)[0] is not None:
            return ""
        return USER_UNKNOWN_REPLY.format(route.address, table)

    # DATA

    def expand_and_deliver(self, route):
        """The recipients that aliases lead to, and what becomes of each."""
        try:
            finals = self.expand(route)
        except ExpansionLimitExceeded:
            route.reply = ALIAS_EXPANSION_ERROR_REPLY
            route.loop, route.is_circle = find_expansion_loop(route.expansions)
            return
        except InvalidAliasTargets:
            route.reply = QUEUE_WRITE_ERROR_REPLY
            return
        route.deliveries = [self.build_delivery(address) for address in finals]

    def expand(self, route):
        """As cleanup(8) does: the first target takes the address's place, others follow."""
        addresses, expanded, seen = [route.address], set(), {}
        for position in itertools.count():
            if position == len(addresses):
                return remove_duplicates(addresses)
            if len(addresses) > ALIAS_EXPANSION_LIMIT:
                raise ExpansionLimitExceeded
            self._expand_at(position, addresses, expanded, seen, route)

    def _expand_at(self, position, addresses, expanded, seen, route):
        for count in itertools.count():
            address = addresses[position]
            if address.lower() in expanded:
                return
            if count >= ALIAS_EXPANSION_LIMIT:
                raise ExpansionLimitExceeded
            targets = self.targets(address, seen, route)
            if not targets:
                return
            if any(len(target) > ADDRESS_LENGTH_LIMIT for target in targets):
                raise ExpansionLimitExceeded
            addresses[position : position + 1] = targets[:1]
            addresses += targets[1:]
            if address.lower() in [target.lower() for target in targets]:
                expanded.add(address.lower())

    def targets(self, address, seen, route):
        """Where an address leads by the alias maps; the route hears of it once."""
        if address not in seen:
            lookups = []
            value, extension = self.find(self.setup.virtual_alias_maps, address, lookups, False)
            seen[address] = self.parse_targets(address, value, extension) if value else []
            route.expansions.append(AliasExpansion(address, lookups, seen[address]))
            if value and not seen[address]:
                raise InvalidAliasTargets
        return seen[address]

    def parse_targets(self, address, value, extension):
        """The targets of a row, each with the extension; `@there` keeps the local part."""
        if value.startswith("@"):
            value = quote_address(split_address(address)[0].removesuffix(extension) + value)
        targets = parse_address_list(value, self.setup.myorigin, self.setup.appended_domain)
        if not self.setup.propagates_extensions:
            return targets
        return [add_extension(target, extension) for target in targets]

    # Delivery

    def build_delivery(self, address):
        address = self.resolve_address(address)
        if not has_deliverable_syntax(address):
            return Delivery(address, "malformed", "error", BAD_SYNTAX_REASON)
        delivery = Delivery(address, "unknown")
        domain = split_address(address)[1]
        kind = self.get_address_class(domain, delivery.lookups) if domain else "local"
        delivery.transport, delivery.nexthop = self.transport(address, kind, delivery.lookups)
        delivery.kind = self.end(delivery, kind)
        return delivery

    def resolve_address(self, address):
        """The address to which mail is sent; the null address and a name alone are completed.

        Behind a domain of the machine's own, or none, another may stand: user%there@here.
        """
        address = f"{EMPTY_ADDRESS_RECIPIENT}{address}" if address in ("", "@") else address
        local_part, at, domain = address.rpartition("@")
        while (
            at
            and self.is_local_domain(domain)
            and any(sign in local_part for sign in ROUTING_OPERATORS)
        ):
            address = local_part if "@" in local_part else self.rewrite_name(local_part)
            local_part, at, domain = address.rpartition("@")
            domain = strip_domain_spaces(domain)
            address = local_part + at + domain
        if at:
            return address[:-1] if TRAILING_DOT_RE.search(address) else address
        if not self.setup.myorigin:
            return address
        return f"{address}@{self.setup.myorigin}"

    def rewrite_name(self, name):
        return rewrite_address(name, self.setup.myorigin, self.setup.appended_domain)

    def is_local_domain(self, domain):
        return not domain or self.holds("mydestination", domain, [])

    def end(self, delivery, kind):
        delivery.reason = self.setup.get_delivery_error(delivery.transport)
        if delivery.reason:
            return "broken"
        if delivery.transport in TERMINAL_SERVICES:
            return TERMINAL_SERVICES[delivery.transport]
        usual = self.get_default_transport(kind, split_address(delivery.address)[1])
        is_usual = kind == "virtual" and (delivery.transport, delivery.nexthop) == usual
        # virtual(8) looks for the mailbox whatever the next hop and class are.
        if is_usual or delivery.transport == VIRTUAL_AGENT:
            return self.find_mailbox(delivery)
        return {"default": "remote", "alias": "unknown"}.get(kind, kind)

    def find_mailbox(self, delivery):
        """The mailbox that the delivery agent finds."""
        for key in self.get_mailbox_keys(delivery):
            path = self.first(self.setup.virtual_mailbox_maps, key, delivery.lookups)
            if path is not None:
                delivery.row, delivery.nexthop = key.lower(), path
                delivery.quota = self.first(self.setup.mailbox_limits, key, delivery.lookups)
                return "mailbox"
        return "unknown"

    def get_mailbox_keys(self, delivery):
        """virtual(8) tries the extension first; Dovecot takes it off and knows nobody by it."""
        if delivery.transport == VIRTUAL_AGENT:
            return [key for key, _rest, _name in self.names(delivery.address)]
        local_part, domain = split_address(delivery.address)
        is_sign = self.setup.recipient_delimiter.__contains__
        user = "".join(itertools.takewhile(lambda letter: not is_sign(letter), local_part))
        chars = self.setup.login_chars
        is_login = user and (chars is None or set(user) <= chars)
        return [f"{user}@{domain}"] if is_login else []

    def transport(self, address, kind, asked):
        """Transport and next hop, by transport(5): address, domain, parents, everything."""
        domain = split_address(address)[1]
        service, destination = self.get_default_transport(kind, domain)
        for key in self.iter_transport_keys(address, domain):
            if (value := self.first(self.setup.transport_maps, key, asked)) is not None:
                transport, _colon, nexthop = value.partition(":")
                if not transport:  # the usual way, though perhaps to another server
                    return service, nexthop or destination
                return transport, nexthop or DEFAULT_NEXTHOPS.get(transport, domain)
        return service, destination

    def get_default_transport(self, kind, domain):
        """Transport and next hop of a class; a `:` in a table asks for them too."""
        services = self.setup.services
        service, _colon, nexthop = services.get(kind, services["default"]).partition(":")
        return service, nexthop or domain

    def iter_transport_keys(self, address, domain):
        yield from self.iter_person_keys(address)
        dot = "" if self.setup.transport_matches_parents else "."
        yield domain
        yield from (dot + parent for parent in get_parent_domains(domain))
        yield WILDCARD_PATTERN

    # Sending

    def find_sender_logins(self, address, asked):
        """The logins that may send as this address; here spaces and commas alone separate them."""
        value, _extension = self.find(self.setup.smtpd_sender_login_maps, address, asked)
        return re.sub("[,\\s]+", " ", value or "").split()
