"""Paths from address to address by their aliases, and how far Postfix follows them."""

from collections import deque
from collections.abc import Mapping, Sequence

ALIAS_EXPANSION_LIMIT = 1000  # virtual_alias_recursion_limit, virtual_alias_expansion_limit
Targets = Mapping[str, Sequence[str]]  # of each address


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
