"""The addresses of an alias loop, or the beginning of a chain that is too long."""

from collections.abc import Sequence

from mailboxes.postfix.paths import Targets, find_shortest_path
from mailboxes.postfix.routing.route import AliasExpansion

MAX_SHOWN_ADDRESSES = 5  # of a chain that never ends


def find_expansion_loop(expansions: Sequence[AliasExpansion]) -> tuple[list[str], bool]:
    """Return the addresses of a loop and True, or the first addresses and False."""
    targets = {
        each.address.lower(): [target.lower() for target in each.targets] for each in expansions
    }
    for start in targets:
        if loop := find_cycle(start, targets):
            return loop, True
    return [each.address for each in expansions[:MAX_SHOWN_ADDRESSES]], False


def find_cycle(start: str, targets: Targets) -> list[str]:
    """Return a path from an address by others to itself."""
    for target in targets.get(start, []):
        if target != start and (path := find_shortest_path(target, start, targets)):
            return [start, *path]
    return []
