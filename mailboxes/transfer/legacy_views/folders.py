"""Mail folders of older systems that are computed from the address, not read from a table."""

from django.db.models import CharField, Func, QuerySet, Value
from django.db.models.functions import Concat

from mailboxes.models import Mailbox


class CastToBinary(Func):
    """Cast to BINARY, so that comparison is exact."""

    template = "CAST(%(expressions)s AS BINARY)"


def address_part(number: int) -> Func:
    return Func("username", Value("@"), Value(number), function="SUBSTRING_INDEX")


# The Postfix map of these systems computes the folder from the address, as their Dovecot does.
FOLDER_EXPRESSIONS = {
    "forwardings": Concat(
        address_part(-1), Value("/"), address_part(1), Value("/"), output_field=CharField()
    ),
}


def find_relocated_mailboxes(system: str) -> QuerySet[Mailbox]:
    """Return mailboxes whose mail older files deliver to another folder than the panel."""
    if system not in FOLDER_EXPRESSIONS:
        return Mailbox.objects.none()
    rows = Mailbox.objects.filter(active=True).annotate(
        folder=CastToBinary(FOLDER_EXPRESSIONS[system])
    )
    return rows.exclude(folder=CastToBinary("maildir")).order_by("pk")
