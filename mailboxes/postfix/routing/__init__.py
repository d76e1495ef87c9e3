"""What Postfix does with an address: keys, recursion, classes, transports.

The mechanics alone, on whatever tables a configuration names: the panel's own
(`build_panel_config`) or those of an operator's files. Nothing here is guessed;
`tests/mailboxes/test_routing.py` holds it against a real Postfix. After access(5), virtual(5),
transport(5) and cleanup(8).
"""

from mailboxes.postfix.routing.addresses import (
    parse_typed_address,
    quote_address,
    split_address,
    split_extension,
)
from mailboxes.postfix.routing.postfix import (
    ALIAS_EXPANSION_LIMIT,
    TERMINAL_SERVICES,
    PostfixRouter,
)
from mailboxes.postfix.routing.replies import (
    ALIAS_EXPANSION_ERROR_REPLY,
    QUEUE_WRITE_ERROR_REPLY,
    LookupUnavailable,
    format_sender_reply,
)
from mailboxes.postfix.routing.tables import (
    DOVECOT_LMTP_TRANSPORT,
    Lookup,
    LookupTable,
    PanelTable,
    RoutingConfig,
    StaticTable,
    build_panel_config,
)

__all__ = [
    "DOVECOT_LMTP_TRANSPORT",
    "ALIAS_EXPANSION_LIMIT",
    "ALIAS_EXPANSION_ERROR_REPLY",
    "TERMINAL_SERVICES",
    "QUEUE_WRITE_ERROR_REPLY",
    "LookupUnavailable",
    "StaticTable",
    "Lookup",
    "PanelTable",
    "PostfixRouter",
    "RoutingConfig",
    "LookupTable",
    "build_panel_config",
    "quote_address",
    "format_sender_reply",
    "split_address",
    "split_extension",
    "parse_typed_address",
]
