"""Accounts: who signs in, how often they may try, and their sessions."""
