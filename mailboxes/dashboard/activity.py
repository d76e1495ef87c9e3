"""What was done lately: the changes of each day as a chart, and the latest log lines."""

import datetime
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from mailadmin.changes.actors import format_actor
from mailadmin.changes.models import Log
from mailadmin.formatting import format_day, format_number
from mailadmin.html_formats import HTMLFormat
from mailboxes.services.statistics import ACTIVITY_DAYS, first_activity_day

BAR_HTML = HTMLFormat('<rect x="{}1" y="{}" width="8" height="{}"{}><title>{}: {}</title></rect>')
NO_CHANGES_CLASS = SafeString(' class="none"')
RECENT_LINES = 40  # that are read
MAX_GROUPS = 8  # that are shown


@dataclass(frozen=True)
class LineGroup:
    """Lines of one person who did the same in one domain, one after the other."""

    line: Log  # the latest of them
    actor: str  # as the reader may see them
    more: int  # other objects
    is_cut: bool  # there may be more of them than were read


def group_lines(lines: Iterable[Log], principal: Any) -> list[LineGroup]:
    """Return the latest lines in groups, newest first, for this reader."""
    lines = list(lines)
    groups = [
        list(group)
        for _key, group in itertools.groupby(
            lines, lambda line: (line.username, line.action, line.domain_id)
        )
    ]
    return [
        LineGroup(
            group[0],
            format_actor(group[0].username, principal),
            len({line.data for line in group}) - 1,
            is_cut=len(lines) == RECENT_LINES and group is groups[-1],
        )
        for group in groups[:MAX_GROUPS]
    ]


@dataclass(frozen=True)
class ActivityBar:
    """The changes of one day, as a bar of the chart."""

    position: int
    day: datetime.date
    count: int
    height: int  # in percent of the highest; a day without changes has a low one

    def render(self) -> SafeString:
        look = "" if self.count else NO_CHANGES_CLASS
        top, day = 100 - self.height, format_day(self.day)
        return BAR_HTML(self.position, top, self.height, look, day, format_number(self.count))


def build_activity_bars(counts: Mapping[datetime.date, int]) -> list[ActivityBar]:
    """Return a bar for each of the last thirty days."""
    start, most = first_activity_day(), max(counts.values(), default=0) or 1
    days = [start + datetime.timedelta(days=number) for number in range(ACTIVITY_DAYS)]
    numbers = [counts.get(day, 0) for day in days]
    heights = [max(2, round(100 * number / most)) for number in numbers]
    return [
        ActivityBar(*bar) for bar in zip(range(ACTIVITY_DAYS), days, numbers, heights, strict=True)
    ]
