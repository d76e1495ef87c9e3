"""What Postfix does with an address, as far as aliases lead it in a circle."""

from graphlib import CycleError, TopologicalSorter

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain
from mailadmin.fields import split_goto
from mailboxes.models import Alias, is_vacation_target

FARTHEST = 1000  # Postfix's virtual_alias_recursion_limit


def refuse_loops(changes, aliases):
    """Refuse aliases that would lead in a circle, unless an address in it also names itself."""
    new = {alias.pk: alias for alias in aliases if alias.active}
    for alias in new.values():
        if loop := find_loop(alias, new):
            text = " → ".join(told(changes, alias, loop))
            raise ValidationError({"goto": _("This is a loop: %(loop)s") % {"loop": text}})


def told(changes, alias, loop):
    """The addresses of a loop that this person may know of; the others are dots."""
    own = Alias.objects.visible_to(changes.principal).filter(pk__in=loop)
    known = {alias.pk, *alias.targets, *own.values_list("pk", flat=True)}
    for number, address in enumerate(loop):
        if address in known:
            yield address
        elif number == 0 or loop[number - 1] in known:
            yield "…"


def find_loop(alias, new):
    """Addresses that lead from one to the next and back to the first, or None."""
    start = [t.lower() for t in split_goto(alias.goto)] if alias.is_catch_all else [alias.pk]
    try:
        TopologicalSorter(reachable(start, new)).prepare()
    except CycleError as error:
        return error.args[1][::-1]
    return None


def reachable(addresses, new):
    """Every address to which these lead, with its own targets; asked a level at a time."""
    graph, frontier = {}, set(addresses)
    while frontier and len(graph) < FARTHEST:
        answers = _answers(frontier, new)
        graph |= {address: _hops(address, answers.get(address)) for address in frontier}
        frontier = {target for address in frontier for target in graph[address]} - set(graph)
    return graph


def _hops(address, alias):
    """Where the address leads; nowhere if it also names itself, since Postfix then delivers."""
    if alias is None:
        return []
    if not alias.is_catch_all and alias.pk != address:
        return [alias.pk]  # found without its extension, or through an alias domain
    targets = [target.lower() for target in split_goto(alias.goto)]
    if address in targets:
        return []
    return [target for target in targets if "@" in target and not is_vacation_target(target)]


def _answers(addresses, new):
    """The active alias that Postfix finds: the address, without extension, the catch-all."""
    mirrors = dict(
        AliasDomain._base_manager.filter(
            alias_domain__in={a.rpartition("@")[2] for a in addresses}, active=True
        ).values_list("alias_domain_id", "target_domain_id")
    )
    keys = {address: list(_keys(address, mirrors)) for address in addresses}
    wanted = {key for options in keys.values() for key in options}
    stored = Alias.objects.filter(pk__in=wanted, active=True)
    found = {alias.pk.lower(): alias for alias in stored} | new
    return {
        address: found[hit]
        for address, options in keys.items()
        if (hit := next((key for key in options if key in found), None))
    }


def _keys(address, mirrors):
    local_part, _at, domain = address.rpartition("@")
    plain = local_part.split(settings.MAILADMIN_RECIPIENT_DELIMITER or "\0", 1)[0]
    for place in (domain, mirrors.get(domain)):
        if place:
            yield f"{local_part}@{place}"
            if plain and plain != local_part:
                yield f"{plain}@{place}"
            yield f"@{place}"
