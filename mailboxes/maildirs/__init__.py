"""Maildirs of former mailboxes: find, archive, purge and restore them, and the page of them.

`mailadmin maildirs` works as the mail user. The panel itself never touches the storage of mail.
"""
