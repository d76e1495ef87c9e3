"""Vacation replies: the form of one, their table, and one reply for many mailboxes."""
