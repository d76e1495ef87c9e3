"""Mails that the panel sends: queued in the database, sent by the worker."""
