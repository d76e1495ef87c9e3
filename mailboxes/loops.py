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
from mailadmin.fields import split_goto
from mailboxes.models import Alias, Mailbox, is_vacation_target
from mailboxes.routing import LIMIT, split_address, split_extension
from mailboxes.routing.circles import way_back


def refuse_loops(changes, aliases):
    """Refuse aliases that would lead in a circle, unless an address in it also names itself."""
    new = {alias.pk: alias for alias in aliases if alias.active}
    for alias in new.values():
        if loop := find_loop(alias, new):
            text = " → ".join(told(changes, alias, loop))
            raise ValidationError({"goto": _("This is a loop: %(loop)s") % {"loop": text}})


def told(changes, alias, loop):
    """The addresses of a loop that this person may know of; the others are dots."""
    own = [alias, *Alias.objects.visible_to(changes.principal).filter(pk__in=loop)]
    known = {name.lower() for each in own for name in (each.pk, *each.targets)}
    for number, address in enumerate(loop):
        if address in known:
            yield address
        elif number == 0 or loop[number - 1] in known:
            yield "…"


def find_loop(alias, new):
    """Addresses that lead from one to the next and back to the first, or None."""
    start = [t.lower() for t in split_goto(alias.goto)] if alias.is_catch_all else [alias.pk]
    hops = reachable(start, new)
    return plain_loop(hops) or growing_loop(hops)


def plain_loop(hops):
    """A circle without an address that names itself, at which Postfix would stop."""
    graph = {address: [] if hop.names_itself else hop.targets for address, hop in hops.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def growing_loop(hops):
    """A circle that adds an extension at every turn, so that no address comes twice."""
    ways = {address: [] if hop.is_catch_all else hop.targets for address, hop in hops.items()}
    grown = (address for address, hop in hops.items() if hop.is_extended)
    return next(filter(None, (way_back(address, ways) for address in grown)), None)


class Hop(NamedTuple):
    """Where an address leads, and what Postfix makes of it on the way."""

    targets: list
    names_itself: bool = False
    is_extended: bool = False  # found without its extension, which its targets get
    is_catch_all: bool = False  # which drops the extension


def reachable(addresses, new):
    """Every address to which these lead, with its own targets; asked a level at a time."""
    hops, frontier = {}, set(addresses)
    while frontier and len(hops) < LIMIT:
        answers = _answers(frontier, new)
        hops |= {address: _hop(address, answers.get(address)) for address in frontier}
        frontier = {target for address in frontier for target in hops[address].targets} - set(hops)
    return hops


def _hop(address, alias):
    if alias is None:
        return Hop([])
    if not alias.is_catch_all and alias.pk != address:
        # Found without its extension, or through an alias domain.
        local_parts = [split_address(name)[0] for name in (address, alias.pk)]
        return Hop([alias.pk], is_extended=local_parts[0] != local_parts[1])
    targets = [target.lower() for target in split_goto(alias.goto)]
    others = [t for t in targets if "@" in t and t != address and not is_vacation_target(t)]
    return Hop(others, address in targets, is_catch_all=alias.is_catch_all)


def _answers(addresses, new):
    """The active alias that Postfix finds for each, unless a mailbox comes first."""
    mirrors = _mirrors(addresses)
    keys = {address: list(_keys(address, mirrors)) for address in addresses}
    wanted = {key for options in keys.values() for key in options}
    stored = Alias.objects.filter(pk__in=wanted, active=True)
    found = dict.fromkeys(_mailboxes(wanted)) | {alias.pk.lower(): alias for alias in stored} | new
    hits = {
        address: next((found[key] for key in options if key in found), None)
        for address, options in keys.items()
    }
    return {address: alias for address, alias in hits.items() if alias}


def _mirrors(addresses):
    """Alias domain → the domain it mirrors."""
    domains = {split_address(address)[1] for address in addresses}
    active = AliasDomain._base_manager.filter(alias_domain__in=domains, active=True)
    return dict(active.values_list("alias_domain_id", "target_domain_id"))


def _mailboxes(keys):
    """Mailboxes are their own targets, so that no catch-all takes their mail."""
    stored = Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True)
    return [username.lower() for username in stored]


def _keys(address, mirrors):
    """What Postfix looks up, in its order; each key also by the domain that is mirrored."""
    local_part, domain = split_address(address)
    name, extension = split_extension(local_part, settings.MAILADMIN_RECIPIENT_DELIMITER)
    for part in [local_part, name, ""] if extension else [local_part, ""]:
        yield f"{part}@{domain}"
        if domain in mirrors:
            yield f"{part}@{mirrors[domain]}"
