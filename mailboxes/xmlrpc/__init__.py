"""PostfixAdmin's XML-RPC interface for mailbox owners, which webmail plugins call."""
