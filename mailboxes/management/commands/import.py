"""`import`: another system's mailboxes, planned, looked at, applied, and taken back."""

from mailboxes.transfer.command import Command

__all__ = ["Command"]
