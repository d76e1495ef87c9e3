"""The route of an address: lookups at RCPT TO, alias expansions, and deliveries."""

from dataclasses import dataclass, field

from mailboxes.postfix.routing.replies import ALIAS_EXPANSION_ERROR_REPLY, QUEUE_WRITE_ERROR_REPLY
from mailboxes.postfix.routing.tables import Lookup


@dataclass
class AliasExpansion:
    """An address, its lookups in the alias maps, and the targets found."""

    address: str
    lookups: list[Lookup]
    targets: list[str]


@dataclass
class Delivery:
    """A final recipient, and what becomes of its mail."""

    address: str
    # mailbox, relay, remote, virtual, local, unknown, malformed, broken, foreign, or one of
    # TERMINAL_SERVICES
    kind: str
    transport: str = ""
    nexthop: str = ""
    row: str = ""  # the mailbox, without extension
    quota: str | None = None
    reason: str = ""  # why it is broken
    lookups: list[Lookup] = field(default_factory=list)


@dataclass
class Route:
    """Everything that happens to mail for an address."""

    address: str
    kind: str = ""  # the address class of its domain
    reply: str = ""  # Postfix's reply if it refuses
    is_refused_by_transport: bool = False
    lookups: list[Lookup] = field(default_factory=list)  # at RCPT TO
    expansions: list[AliasExpansion] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    loop: list[str] = field(default_factory=list)  # an alias loop, or the start of a long chain
    is_circle: bool = False

    @property
    def is_accepted(self) -> bool:
        return not self.reply

    @property
    def rcpt_reply(self) -> str:
        """Return the refusal at RCPT TO; others come only after the message."""
        is_later = self.reply in (ALIAS_EXPANSION_ERROR_REPLY, QUEUE_WRITE_ERROR_REPLY)
        return "" if is_later else self.reply
