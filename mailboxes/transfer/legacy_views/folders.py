"""Where older files look for mail, if they do not ask a table."""

from django.db.models import CharField, Func, Value
from django.db.models.functions import Concat

from mailboxes.models import Mailbox


class CastToBinary(Func):
    """To the letter."""

    template = "CAST(%(expressions)s AS BINARY)"


def address_part(number):
    return Func("username", Value("@"), Value(number), function="SUBSTRING_INDEX")


# A map of Postfix's that makes the folder of the address; Dovecot's files do so in any case.
FOLDER_EXPRESSIONS = {
    "forwardings": Concat(
        address_part(-1), Value("/"), address_part(1), Value("/"), output_field=CharField()
    ),
}


def find_relocated_mailboxes(system):
    """Mailboxes whose mail older files put into another folder than the panel."""
    if system not in FOLDER_EXPRESSIONS:
        return Mailbox.objects.none()
    rows = Mailbox.objects.filter(active=True).annotate(
        folder=CastToBinary(FOLDER_EXPRESSIONS[system])
    )
    return rows.exclude(folder=CastToBinary("maildir")).order_by("pk")
