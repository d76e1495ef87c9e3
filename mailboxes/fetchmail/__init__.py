"""Fetch mail from mailboxes elsewhere: the table of entries, and the runner of fetchmail."""
