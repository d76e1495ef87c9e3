"""Files of Dovecot 2.3, written as Dovecot 2.4 wants them."""
