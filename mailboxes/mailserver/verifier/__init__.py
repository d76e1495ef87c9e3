"""Whether Postfix and Dovecot see what the panel wrote."""
