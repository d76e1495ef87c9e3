"""What Postfix does with an address: keys, recursion, classes, transports.

The mechanics alone, on whatever tables a setup names: the panel's own (`own_setup`) or those of
an operator's files. Nothing here is guessed; `tests/mailboxes/test_routing.py` holds it against
a real Postfix. After access(5), virtual(5), transport(5) and cleanup(8).
"""

from mailboxes.postfix.routing.addresses import (
    quoted,
    split_address,
    split_extension,
    typed_address,
)
from mailboxes.postfix.routing.postfix import LIMIT, OWN_ENDS, Postfix
from mailboxes.postfix.routing.replies import LOOPING, UNREADABLE, CannotBeAsked, sender_reply
from mailboxes.postfix.routing.tables import (
    DELIVERY,
    Fixed,
    Lookup,
    OwnTable,
    Setup,
    Table,
    own_setup,
)

__all__ = [
    "DELIVERY",
    "LIMIT",
    "LOOPING",
    "OWN_ENDS",
    "UNREADABLE",
    "CannotBeAsked",
    "Fixed",
    "Lookup",
    "OwnTable",
    "Postfix",
    "Setup",
    "Table",
    "own_setup",
    "quoted",
    "sender_reply",
    "split_address",
    "split_extension",
    "typed_address",
]
