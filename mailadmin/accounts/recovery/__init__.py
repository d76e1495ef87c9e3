"""Links by which people set a password of their own: recovery of a forgotten one, invitations."""
