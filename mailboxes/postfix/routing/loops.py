"""The addresses of an alias loop, or the beginning of a chain that is too long."""

from collections import deque
from collections.abc import Mapping, Sequence

from mailboxes.postfix.routing.route import AliasExpansion

MAX_SHOWN_ADDRESSES = 5  # of a chain that never ends
Targets = Mapping[str, Sequence[str]]  # of each address


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


def find_shortest_path(start: str, end: str, targets: Targets) -> list[str]:
    """Return the shortest path from one address to another, both included."""
    previous: dict[str, str | None] = {start: None}
    queue = deque([start])
    while queue:
        address = queue.popleft()
        if address == end:
            return reconstruct_path(address, previous)
        for target in targets.get(address, []):
            if target not in previous:
                previous[target] = address
                queue.append(target)
    return []


def reconstruct_path(end: str, previous: Mapping[str, str | None]) -> list[str]:
    path, address = [end], previous[end]
    while address is not None:
        path.insert(0, address)
        address = previous[address]
    return path
