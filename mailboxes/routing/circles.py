"""The way that never ends, as far as it is worth a look."""

LOOK = 5  # addresses shown of a way that never ends


def circle(hops):
    """The addresses that lead from one to the next and back to the first."""
    ways = {hop.address.lower(): [target.lower() for target in hop.targets] for hop in hops}
    for start in ways:
        if way := way_back(start, ways):
            return way
    return [hop.address for hop in hops[:LOOK]]  # no circle: it grows at every turn


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
