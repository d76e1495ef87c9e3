"""Backups of all tables in one file, and their restoration into an empty database."""
