"""Change mails that wait in the queue."""

from collections.abc import Iterable

from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.outcomes import finish
from mailadmin.translation import gettext as _

WAITING = OutgoingMail.State.WAITING


def retry_mails(changes: Changes, keys: Iterable[int]) -> None:
    """Have waiting mails sent as soon as a worker has time; those being sent stay as they are."""
    for part in chunks(keys):
        OutgoingMail.objects.filter(pk__in=part, state=WAITING).update(due=changes.at)


def cancel_mails(changes: Changes, keys: Iterable[int]) -> None:
    """Give up waiting mails; those being sent stay as they are."""
    error = _("Canceled by %(name)s.") % {"name": changes.actor.name}
    values = finish(OutgoingMail.State.FAILED, changes.at, error)
    for part in chunks(keys):
        OutgoingMail.objects.filter(pk__in=part, state=WAITING).update(**values)
