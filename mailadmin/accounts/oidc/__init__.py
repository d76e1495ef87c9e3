"""Sign-in at an OpenID Connect provider: its documents, the code flow, and the end of sessions."""
