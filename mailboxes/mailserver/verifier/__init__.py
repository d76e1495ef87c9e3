"""Verify that a running Postfix and Dovecot answer as the panel's rows say."""
