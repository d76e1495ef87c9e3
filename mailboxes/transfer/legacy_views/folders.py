"""Where older files look for mail, if they do not ask a table."""

from django.db.models import CharField, Func, Value
from django.db.models.functions import Concat

from mailboxes.models import Mailbox


class Binary(Func):
    """To the letter."""

    template = "CAST(%(expressions)s AS BINARY)"


def part(number):
    return Func("username", Value("@"), Value(number), function="SUBSTRING_INDEX")


# A map of Postfix's that makes the folder of the address; Dovecot's files do so in any case.
FOLDERS = {
    "forwardings": Concat(part(-1), Value("/"), part(1), Value("/"), output_field=CharField()),
}


def elsewhere(system):
    """Mailboxes whose mail older files put into another folder than the panel."""
    if system not in FOLDERS:
        return Mailbox.objects.none()
    rows = Mailbox.objects.filter(active=True).annotate(folder=Binary(FOLDERS[system]))
    return rows.exclude(folder=Binary("maildir")).order_by("pk")
