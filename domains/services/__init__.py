"""How domains, alias domains, transports and admins change."""
