"""The table of transports: which mail Postfix hands to which service."""
