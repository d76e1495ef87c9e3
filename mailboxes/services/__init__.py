"""How mailboxes, aliases and vacations change."""
