"""Aliases that lead in a circle are refused before Postfix meets them.

Many aliases are asked about at once, a level at a time, where the tracer asks address by address;
it is stricter too: a domain that is switched off may be switched on again.
"""

from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain
from mailadmin.db.fields import split_goto
from mailboxes.models import Alias, Mailbox, is_vacation_target
from mailboxes.postfix.routing import ALIAS_EXPANSION_LIMIT, split_address, split_extension
from mailboxes.postfix.routing.addresses import add_extension
from mailboxes.postfix.routing.loops import find_shortest_path


def refuse_loops(changes, aliases):
    """Refuse aliases that would lead in a circle, unless an address in it also names itself."""
    new = {alias.pk: alias for alias in aliases if alias.active}
    for alias in new.values():
        if loop := find_loop(alias, new):
            text = " → ".join(redact_loop(changes, alias, loop))
            raise ValidationError({"goto": _("This is a loop: %(loop)s") % {"loop": text}})


def redact_loop(changes, alias, loop):
    """The addresses of a loop that this person may know of; the others are dots."""
    keys = [key for address in loop for key in (address, strip_wildcard_extension(address))]
    own = [alias, *Alias.objects.visible_to(changes.principal).filter(pk__in=keys)]
    known = {name.lower() for each in own for name in (each.pk, *each.targets)}
    shown = [is_known_address(address, known) for address in loop]
    for number, address in enumerate(loop):
        if shown[number]:
            yield address
        elif number == 0 or shown[number - 1]:
            yield "…"


def is_known_address(address, known):
    """Whether the address is, or would be without the extension that stands for all."""
    return address in known or strip_wildcard_extension(address) in known


def strip_wildcard_extension(address):
    return address.replace(f"{settings.MAILADMIN_RECIPIENT_DELIMITER[:1]}…", "")


def find_loop(alias, new):
    """Addresses that lead from one to the next and back to the first, or None."""
    start = get_start_addresses(alias)
    hops = expand_reachable(start, new)
    return (
        find_simple_loop(get_reachable_subgraph(start[0], hops))
        or find_simple_loop(hops)
        or find_growing_loop(hops)
    )


def get_reachable_subgraph(address, hops):
    """The part to which this address leads: a loop is shown without extension if it has one so."""
    part, waiting = {}, [address]
    while waiting:
        if (here := waiting.pop()) in hops and here not in part:
            part[here] = hops[here]
            waiting += hops[here].targets
    return part


def get_start_addresses(alias):
    """The address, and with some extension, which goes on to its targets; a catch-all drops it."""
    if alias.is_catch_all:
        return [target.lower() for target in split_goto(alias.goto)]
    return [alias.pk, add_wildcard_extension(alias.pk)]


def add_wildcard_extension(address):
    """One stands for all: what follows the sign is in no table."""
    sign = settings.MAILADMIN_RECIPIENT_DELIMITER[:1]
    return add_extension(address, f"{sign}…") if sign else address


class AliasNode(NamedTuple):
    """Where an address leads, and what Postfix makes of it on the way."""

    targets: list
    is_self_referencing: bool = False
    extended_targets: frozenset = (
        frozenset()
    )  # targets that add an extension of their own to that given


def find_simple_loop(hops):
    """A circle without an address that names itself, at which Postfix would stop."""
    graph = {
        address: [] if hop.is_self_referencing else hop.targets for address, hop in hops.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def find_growing_loop(hops):
    """A circle that adds an extension at every turn, so that no address comes twice."""
    ways = {address: hop.targets for address, hop in hops.items()}
    for address, hop in hops.items():
        for target in hop.extended_targets:
            if target == address:
                return [address, address]
            if way := find_shortest_path(target, address, ways):
                return [address, *way]
    return None


def expand_reachable(addresses, new):
    """Every address to which these lead, with its own targets; asked a level at a time."""
    hops, frontier = {}, set(addresses)
    while frontier and len(hops) < ALIAS_EXPANSION_LIMIT:
        answers = _find_aliases(frontier, new)
        hops |= {address: _build_node(address, answers.get(address)) for address in frontier}
        frontier = {target for address in frontier for target in hops[address].targets} - set(hops)
    return hops


def _build_node(address, alias):
    if alias is None:
        return AliasNode([])
    targets = [target.lower() for target in split_goto(alias.goto)]
    targets = [t for t in targets if "@" in t and not is_vacation_target(t)]
    if alias.is_catch_all or alias.pk.lower() == address:
        return AliasNode([t for t in targets if t != address], address in targets)
    if not _is_matched_without_extension(address, alias):
        return AliasNode(targets)  # by an alias domain: one that names itself there is nobody's
    marked = {target: add_wildcard_extension(target) for target in targets}
    grown = frozenset(marked[target] for target in targets if _has_extension(target))
    names_itself = address in marked.values() and address not in grown
    return AliasNode(
        [m for m in marked.values() if m != address or m in grown], names_itself, grown
    )


def _is_matched_without_extension(address, alias):
    """Whether the alias was found without the address's extension."""
    return split_address(address)[0] != split_address(alias.pk.lower())[0]


def _has_extension(address):
    delimiters = settings.MAILADMIN_RECIPIENT_DELIMITER
    return bool(split_extension(split_address(address)[0], delimiters)[1])


def _find_aliases(addresses, new):
    """The active alias that Postfix finds for each, unless a mailbox comes first."""
    mirrors = _find_alias_domain_targets(addresses)
    keys = {address: list(_iter_lookup_keys(address, mirrors)) for address in addresses}
    wanted = {key for options in keys.values() for key in options}
    stored = Alias.objects.filter(pk__in=wanted, active=True)
    found = (
        dict.fromkeys(_find_mailboxes(wanted)) | {alias.pk.lower(): alias for alias in stored} | new
    )
    hits = {
        address: next((found[key] for key in options if key in found), None)
        for address, options in keys.items()
    }
    return {address: alias for address, alias in hits.items() if alias}


def _find_alias_domain_targets(addresses):
    """Alias domain → the domain it mirrors."""
    domains = {split_address(address)[1] for address in addresses}
    active = AliasDomain._base_manager.filter(alias_domain__in=domains, active=True)
    return dict(active.values_list("alias_domain_id", "target_domain_id"))


def _find_mailboxes(keys):
    """Mailboxes are their own targets, so that no catch-all takes their mail."""
    stored = Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
    return [username.lower() for username in stored]


def _iter_lookup_keys(address, mirrors):
    """What Postfix looks up, in its order; each key also by the domain that is mirrored."""
    local_part, domain = split_address(address)
    name, extension = split_extension(local_part, settings.MAILADMIN_RECIPIENT_DELIMITER)
    for part in [local_part, name, ""] if extension else [local_part, ""]:
        yield f"{part}@{domain}"
        if domain in mirrors:
            yield f"{part}@{mirrors[domain]}"
