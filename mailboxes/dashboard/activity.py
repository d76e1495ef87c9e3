"""The latest log lines, with equal neighbours as one."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mailadmin.changes.actors import format_actor
from mailadmin.changes.models import Log

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
