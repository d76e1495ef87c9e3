"""Aliases that were written a moment ago, by PostfixAdmin too, as the log says.

The worker corrects what the panel keeps of aliases every few minutes; until then these are added.
"""

import datetime

from mailadmin.changes.models import Log

MAX_LOGGED_ALIASES = 500  # of each action
CLOCK_DIFFERENCE = datetime.timedelta(minutes=1)  # of the servers that write the log


def find_logged_aliases(since: datetime.datetime, *actions: str) -> set[str]:
    """Return the aliases that the last log lines of these actions name."""
    found: set[str] = set()
    for action in actions:  # one by one: an index has the lines of each in the order of time
        lines = Log.objects.filter(action=action, timestamp__gte=since - CLOCK_DIFFERENCE)
        names = lines.order_by("-timestamp").values_list("data", flat=True)
        found.update(names[:MAX_LOGGED_ALIASES])
    return found
