"""The way that never ends, as far as it is worth a look."""

from collections import deque

MAX_SHOWN_ADDRESSES = 5  # addresses shown of a way that never ends


def find_expansion_loop(hops):
    """The addresses that lead back to the first, and that they do; or how the way begins."""
    ways = {hop.address.lower(): [target.lower() for target in hop.targets] for hop in hops}
    for start in ways:
        if way := find_cycle(start, ways):
            return way, True
    return [
        hop.address for hop in hops[:MAX_SHOWN_ADDRESSES]
    ], False  # longer at every turn, or too many


def find_cycle(start, ways):
    """From an address by others to itself."""
    for target in ways.get(start, []):
        if target != start and (way := find_shortest_path(target, start, ways)):
            return [start, *way]
    return []


def find_shortest_path(start, end, ways):
    """The shortest way from one address to another, both included."""
    before, waiting = {start: None}, deque([start])
    while waiting:
        address = waiting.popleft()
        if address == end:
            return reconstruct_path(address, before)
        for target in ways.get(address, []):
            if target not in before:
                before[target] = address
                waiting.append(target)
    return []


def reconstruct_path(address, before):
    way = []
    while address is not None:
        way.insert(0, address)
        address = before[address]
    return way
