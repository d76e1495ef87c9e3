"""`maildirs scan | archive | purge | run | restore | list | show | keep | release`"""

from mailboxes.maildirs.command import MaildirsCommand


class Command(MaildirsCommand):
    pass
