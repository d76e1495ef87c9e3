"""Refuse aliases that forward to each other in a loop, before Postfix meets them.

Unlike the router (`postfix.routing`), which looks up address by address, this looks up many aliases
at once, level by level. It is stricter too: inactive domains count, as they may be activated again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import F

from domains.models import AliasDomain
from mailadmin.changes.perform import Changes
from mailadmin.changes.refusals import RowError
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox, is_vacation_target
from mailboxes.models.goto import split_goto
from mailboxes.postfix.addresses import add_extension, split_address, split_extension
from mailboxes.postfix.paths import ALIAS_EXPANSION_LIMIT, find_shortest_path
from mailboxes.services.lookup_keys import iter_lookup_keys

MAX_EXPANDED_TOGETHER = 100 * ALIAS_EXPANSION_LIMIT  # addresses of many aliases


def refuse_loops(changes: Changes, aliases: Iterable[Alias]) -> None:
    """Refuse aliases that would form a loop, unless an address in it keeps a copy for itself."""
    new = {alias.pk: alias for alias in aliases if alias.active}
    for alias in iter_suspects(list(new.values()), new):
        if loop := find_loop(alias, new):
            text = " → ".join(redact_loop(changes.principal, alias, loop))
            closing = find_closing_alias(alias, loop, new)
            raise RowError({"goto": _("Alias loop: %(loop)s") % {"loop": text}}, closing.pk)


def find_closing_alias(alias: Alias, loop: Iterable[str], new: Mapping[str, Alias]) -> Alias:
    """Return the last of the new aliases in this loop, without which it would be none."""
    members = {strip_wildcard_extension(address) for address in loop}
    return next((new[key] for key in reversed(list(new)) if key in members), alias)


def iter_suspects(aliases: list[Alias], new: Mapping[str, Alias]) -> Iterator[Alias]:
    """Yield the aliases that may forward to a loop, in order; many are looked up together."""
    waiting = [aliases]
    while waiting:
        part = waiting.pop()
        if len(part) == 1:
            yield part[0]
            continue
        hops, is_complete = expand_reachable(get_all_starts(part), new, MAX_EXPANDED_TOGETHER)
        if is_complete:
            yield from iter_looping(part, hops)
        else:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]


def select_chained(aliases: Iterable[Alias], hops: int) -> list[Alias]:
    """Return those that forward to an alias that forwards to an alias, and so on, so many times.

    All aliases of a loop do, and few others.
    """
    targets = {alias.pk: [target.lower() for target in alias.others] for alias in aliases}
    names = {each for own in targets.values() for each in own if "@" in each}
    alias_domains = _find_alias_domain_targets(names)
    keys = {name: set(iter_lookup_keys(name, alias_domains)) for name in names}
    found: list[Alias] = []
    for part in chunks(sorted({key for own in keys.values() for key in own})):
        found += Alias.objects.filter(pk__in=part, active=True).exclude(goto=F("address"))
    next_aliases = select_chained(found, hops - 1) if found and hops > 1 else found
    next_keys = {fold(alias.pk) for alias in next_aliases}
    forwarding = {name for name, own in keys.items() if not next_keys.isdisjoint(own)}
    return [alias for alias in aliases if not forwarding.isdisjoint(targets[alias.pk])]


def iter_looping(aliases: list[Alias], hops: "Graph") -> Iterator[Alias]:
    """Yield the aliases that forward to a loop of this graph, in order; halves of them at once."""
    reachable = get_reachable_subgraph(get_all_starts(aliases), hops)
    if not (find_simple_loop(reachable) or find_growing_loop(reachable)):
        return
    if len(aliases) == 1:
        yield aliases[0]
        return
    middle = len(aliases) // 2
    yield from iter_looping(aliases[:middle], reachable)
    yield from iter_looping(aliases[middle:], reachable)


def get_all_starts(aliases: Iterable[Alias]) -> set[str]:
    return {address for alias in aliases for address in get_start_addresses(alias)}


def redact_loop(principal: Any, alias: Alias, loop: Sequence[str]) -> Iterator[str]:
    """Yield the addresses of a loop; those out of a principal's scope as one “…”."""
    keys = [key for address in loop for key in (address, strip_wildcard_extension(address))]
    own = [alias, *Alias.objects.visible_to(principal).filter(pk__in=keys)]
    known = {name.lower() for each in own for name in (each.pk, *each.targets)}
    shown = [is_known_address(address, known) for address in loop]
    for number, address in enumerate(loop):
        if shown[number]:
            yield address
        elif number == 0 or shown[number - 1]:
            yield "…"


def is_known_address(address: str, known: set[str]) -> bool:
    """Return whether an address is known, with or without its wildcard extension."""
    return address in known or strip_wildcard_extension(address) in known


def strip_wildcard_extension(address: str) -> str:
    return address.replace(f"{settings.MAILADMIN_RECIPIENT_DELIMITER[:1]}…", "")


def find_loop(alias: Alias, new: Mapping[str, Alias]) -> list[str] | None:
    """Return addresses of which each forwards to the next and the last is the first again."""
    start = get_start_addresses(alias)
    hops, _is_complete = expand_reachable(start, new)
    # First without an extension, so that the loop is shown so if it can.
    return (
        find_simple_loop(get_reachable_subgraph(start[:1], hops))
        or find_simple_loop(hops)
        or find_growing_loop(hops)
    )


def get_reachable_subgraph(addresses: Iterable[str], hops: "Graph") -> "Graph":
    """Return what these addresses forward to, of a graph that has more."""
    part: Graph = {}
    waiting = list(addresses)
    while waiting:
        if (here := waiting.pop()) in hops and here not in part:
            part[here] = hops[here]
            waiting += hops[here].targets
    return part


def get_start_addresses(alias: Alias) -> list[str]:
    """Return the address without and with an extension, which is passed on to its targets.

    A catch-all passes none on, so that its targets are the start.
    """
    if alias.is_catch_all:
        return [target.lower() for target in split_goto(alias.goto)]
    return [alias.pk, add_wildcard_extension(alias.pk)]


def add_wildcard_extension(address: str) -> str:
    """Return the address with an extension that stands for all: no table holds a certain one."""
    sign = settings.MAILADMIN_RECIPIENT_DELIMITER[:1]
    return add_extension(address, f"{sign}…") if sign else address


class AliasNode(NamedTuple):
    """An address with the targets to which Postfix expands it."""

    targets: list[str]
    is_self_referencing: bool = False
    # Targets with an extension of their own, to which the address's extension is added.
    extended_targets: frozenset[str] = frozenset()


Graph = dict[str, AliasNode]


def find_simple_loop(hops: Graph) -> list[str] | None:
    """Return a loop without an address that names itself, at which Postfix would stop."""
    graph = {
        address: [] if hop.is_self_referencing else hop.targets for address, hop in hops.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def find_growing_loop(hops: Graph) -> list[str] | None:
    """Return a loop that adds an extension each time round, so that no address comes twice."""
    ways = {address: hop.targets for address, hop in hops.items()}
    for address, hop in hops.items():
        for target in hop.extended_targets:
            if target == address:
                return [address, address]
            if way := find_shortest_path(target, address, ways):
                return [address, *way]
    return None


def expand_reachable(
    addresses: Iterable[str], new: Mapping[str, Alias], limit: int = ALIAS_EXPANSION_LIMIT
) -> tuple[Graph, bool]:
    """Return every address that these forward to, directly or not, and whether these are all.

    They are looked up level by level, until there are more than the limit.
    """
    hops: Graph = {}
    frontier = set(addresses)
    while frontier and len(hops) < limit:
        answers = _find_aliases(frontier, new)
        hops |= {address: _build_node(address, answers.get(address)) for address in frontier}
        frontier = {target for address in frontier for target in hops[address].targets} - set(hops)
    return hops, not frontier


def _build_node(address: str, alias: Alias | None) -> AliasNode:
    if alias is None:
        return AliasNode([])
    targets = [target.lower() for target in split_goto(alias.goto)]
    targets = [t for t in targets if "@" in t and not is_vacation_target(t)]
    if alias.is_catch_all or alias.pk.lower() == address:
        return AliasNode([t for t in targets if t != address], address in targets)
    if not _is_matched_without_extension(address, alias):
        return AliasNode(targets)  # found by an alias domain, where it does not name itself
    marked = {target: add_wildcard_extension(target) for target in targets}
    grown = frozenset(marked[target] for target in targets if _has_extension(target))
    names_itself = address in marked.values() and address not in grown
    return AliasNode(
        [m for m in marked.values() if m != address or m in grown], names_itself, grown
    )


def _is_matched_without_extension(address: str, alias: Alias) -> bool:
    """Return whether the alias was found without the address's extension."""
    return split_address(address)[0] != split_address(alias.pk.lower())[0]


def _has_extension(address: str) -> bool:
    delimiters = settings.MAILADMIN_RECIPIENT_DELIMITER
    return bool(split_extension(split_address(address)[0], delimiters)[1])


def _find_aliases(addresses: Iterable[str], new: Mapping[str, Alias]) -> dict[str, Alias]:
    """Return address → the active alias that Postfix finds for it, unless a mailbox comes first."""
    alias_domains = _find_alias_domain_targets(addresses)
    keys = {address: list(iter_lookup_keys(address, alias_domains)) for address in addresses}
    found: dict[str, Alias | None] = {}
    for part in chunks(sorted({key for options in keys.values() for key in options})):
        found |= dict.fromkeys(_find_mailboxes(part))
        stored = Alias.objects.filter(pk__in=part, active=True)
        found |= {alias.pk.lower(): alias for alias in stored}
    found |= new
    hits = {
        address: next((found[key] for key in options if key in found), None)
        for address, options in keys.items()
    }
    return {address: alias for address, alias in hits.items() if alias}


def _find_alias_domain_targets(addresses: Iterable[str]) -> dict[str, str]:
    """Return alias domain → target domain of the active alias domains among these addresses."""
    found: dict[str, str] = {}
    for part in chunks(sorted({split_address(address)[1] for address in addresses})):
        active = AliasDomain._base_manager.filter(alias_domain__in=part, active=True)
        found |= active.values_list("alias_domain_id", "target_domain_id")
    return found


def _find_mailboxes(keys: Iterable[str]) -> list[str]:
    """Return the mailboxes among these: they are their own targets, before any catch-all."""
    stored = Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
    return [username.lower() for username in stored]
