"""Change what waits for scripts and webhooks, and run what failed once more."""

from collections.abc import Iterable

from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.hooks.models import HookDelivery
from mailadmin.hooks.runner import finish
from mailadmin.translation import gettext as _

State = HookDelivery.State


def retry_deliveries(changes: Changes, keys: Iterable[int]) -> None:
    """Run what waits, or has failed, as soon as a worker has time. Erased input is not there."""
    values = {"state": State.WAITING, "due": changes.at, "first_attempt": None, "finished": None}
    for part in chunks(keys):
        rows = HookDelivery.objects.filter(pk__in=part, state__in=(State.WAITING, State.FAILED))
        rows.update(**values)


def cancel_deliveries(changes: Changes, keys: Iterable[int]) -> None:
    """Give up what waits; what is running stays as it is."""
    text = _("Canceled by %(name)s.") % {"name": changes.actor.name}
    for part in chunks(keys):
        rows = HookDelivery.objects.filter(pk__in=part, state=State.WAITING)
        rows.update(**finish(State.FAILED, None, text))
