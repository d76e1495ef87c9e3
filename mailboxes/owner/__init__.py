"""The mailbox owner's own pages."""
