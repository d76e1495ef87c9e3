"""Parse the configuration folders of Postfix and Dovecot, keeping the line of each value.

Only reads files: neither program has to be installed, and the folder may be a copy from another
machine.
"""
