"""`import`: read another system's mailboxes into a plan, review it, apply it, undo it."""

from mailboxes.transfer.command import Command

__all__ = ["Command"]
