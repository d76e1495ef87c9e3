"""The way that never ends, as far as it is worth a look."""

LOOK = 5  # addresses shown of a way that never ends


def circle(hops):
    """The addresses that lead back to the first, and that they do; or how the way begins."""
    ways = {hop.address.lower(): [target.lower() for target in hop.targets] for hop in hops}
    for start in ways:
        if way := way_back(start, ways):
            return way, True
    return [hop.address for hop in hops[:LOOK]], False  # longer at every turn, or too many


def way_back(start, ways):
    before, frontier = {}, [start]
    while frontier:
        address = frontier.pop(0)
        for target in ways.get(address, []):
            if target == start and address != start:
                return traced_back(address, before, start)
            if target not in before and target != start:
                before[target] = address
                frontier.append(target)
    return []


def traced_back(address, before, start):
    way = [start]
    while address != start:
        way.insert(0, address)
        address = before[address]
    return [start, *way]
