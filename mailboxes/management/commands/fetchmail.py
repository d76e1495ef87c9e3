"""`fetchmail run | list | show | add | edit | delete`"""

from mailboxes.fetchmail.command import FetchmailCommand


class Command(FetchmailCommand):
    pass
