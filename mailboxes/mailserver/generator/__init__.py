"""The configuration of Postfix and Dovecot, written from the table of queries."""
