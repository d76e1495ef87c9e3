"""Route an address as Postfix does: lookup keys, alias expansion, address classes, transports.

The tables are those of a configuration: the panel's own (`build_panel_config`) or an operator's
files. After access(5), virtual(5), transport(5) and cleanup(8);
`tests/mailboxes/test_routing.py` compares it with a real Postfix.
"""

from mailboxes.postfix.routing.postfix import (
    TERMINAL_SERVICES,
    PostfixRouter,
    split_logins,
)
from mailboxes.postfix.routing.replies import (
    ALIAS_EXPANSION_ERROR_REPLY,
    BAD_RECIPIENT_REPLY,
    QUEUE_WRITE_ERROR_REPLY,
    RECIPIENT_REJECTED_REPLY,
    RELAY_DENIED_REPLY,
    LookupUnavailable,
    format_sender_reply,
)
from mailboxes.postfix.routing.route import AliasExpansion, Delivery, Route
from mailboxes.postfix.routing.tables import (
    DOVECOT_LMTP_TRANSPORT,
    Lookup,
    LookupTable,
    MatchedRow,
    RoutingConfig,
    StaticTable,
    build_panel_config,
)

__all__ = [
    "ALIAS_EXPANSION_ERROR_REPLY",
    "AliasExpansion",
    "BAD_RECIPIENT_REPLY",
    "DOVECOT_LMTP_TRANSPORT",
    "Delivery",
    "Lookup",
    "LookupTable",
    "LookupUnavailable",
    "MatchedRow",
    "PostfixRouter",
    "QUEUE_WRITE_ERROR_REPLY",
    "RECIPIENT_REJECTED_REPLY",
    "RELAY_DENIED_REPLY",
    "Route",
    "RoutingConfig",
    "StaticTable",
    "TERMINAL_SERVICES",
    "build_panel_config",
    "format_sender_reply",
    "split_logins",
]
