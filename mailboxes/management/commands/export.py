"""`export`: everything or one domain as JSON, CSV or map files."""

from mailboxes.transfer.export.command import Command

__all__ = ["Command"]
