"""The switch from PostfixAdmin: its configuration files, and its command `postfixadmin-cli`."""
