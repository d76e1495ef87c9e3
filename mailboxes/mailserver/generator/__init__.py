"""Generate the configuration of Postfix and Dovecot from the queries of `postfix/maps.py`."""
