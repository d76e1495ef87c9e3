"""Services that change domains, alias domains, transports and admins."""
