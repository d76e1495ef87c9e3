"""Explain the route of mail for an address, step by step, as far as a principal may see it.

One structure for the page, the command and the API, with texts of the interface.
"""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypedDict

from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Subquery
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain
from domains.patterns import VIRTUAL_AGENT, find_service_problem
from mailadmin.names import normalize_domain
from mailboxes.models import Usage, Vacation, is_vacation_target
from mailboxes.postfix.addresses import parse_typed_address, quote_address, split_address
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.alias_domains import find_handled_as
from mailboxes.postfix.explain.lookups import serialize_lookups
from mailboxes.postfix.explain.messages import format_headline, get_outcome, get_verdict
from mailboxes.postfix.explain.redaction import VisibleScope, find_vacation_owner
from mailboxes.postfix.explain.senders import serialize_senders
from mailboxes.postfix.routing import (
    DOVECOT_LMTP_TRANSPORT,
    TERMINAL_SERVICES,
    AliasExpansion,
    Delivery,
    Lookup,
    LookupUnavailable,
    PostfixRouter,
    Route,
    RoutingConfig,
    build_panel_config,
)

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class AliasDomainColumns(TypedDict):
        mirror_target: str | None
        is_target_active: bool | None

    AnnotatedDomain = WithAnnotations[Domain, AliasDomainColumns]

MAX_STEPS = 100  # an alias loop has a thousand

Data = dict[str, Any]


def explain(
    principal: Any, address: str, sender: str = "", config: RoutingConfig | None = None
) -> Data:
    """Return the route of mail for the address, who may send as it, and whether the sender may."""
    address, scope = clean_queried_address(address), VisibleScope(principal)
    if not scope.can_see(address):
        raise ValidationError({"address": _("This address is not in one of your domains.")})
    router = PostfixRouter(config or build_panel_config())
    explanation: Data = {"address": address, "steps": [], "more_steps": 0, "deliveries": []}
    explanation |= {"trouble": "", "left_out": router.config.left_out, "handled_as": None}
    try:
        route = router.route(address)
        explanation |= serialize_route(route, scope) | serialize_steps(route, scope)
        if router.config.is_own:  # in an operator's files the panel does not know the maps
            explanation["handled_as"] = find_handled_as(route, scope)
        explanation["deliveries"] = [
            serialize_delivery(each, scope) for each in find_visible_deliveries(route, scope)
        ]
    except LookupUnavailable as error:
        explanation["trouble"] = str(error)
    explanation |= serialize_senders(router, address, sender, scope)
    texts = {"outcome": get_outcome(explanation), "says": format_headline(explanation)}
    return explanation | texts


def clean_queried_address(text: str) -> str:
    """Return an address as Postfix receives it: its domain in ASCII."""
    try:
        local_part, domain = split_address(parse_typed_address(text))
        return f"{local_part}@{normalize_domain(domain)}"
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from error


# The route


def serialize_route(route: Route, scope: VisibleScope) -> Data:
    loop = (address if scope.can_see(address) else "…" for address in route.loop)
    return {
        "class": route.kind,
        "accepted": route.is_accepted,
        "reply": route.reply,
        "is_refused_by_transport": route.is_refused_by_transport,
        "loop": list(collapse_repeats(loop)),
        "is_circle": route.is_circle,
    }


def collapse_repeats(addresses: Iterable[str]) -> Iterator[str]:
    """Yield equal neighbours once: the number of foreign addresses between is not shown."""
    return (address for address, _group in itertools.groupby(addresses))


def serialize_steps(route: Route, scope: VisibleScope) -> Data:
    """Return the lookups at RCPT TO, then the aliases, and the number of those left out."""
    steps = [serialize_step("recipient", route.address, [], route.lookups, scope)]
    steps += [
        serialize_step("alias", each.address, each.targets, each.lookups, scope)
        for each in find_visible_expansions(route, scope)
    ]
    return {"steps": steps[:MAX_STEPS], "more_steps": len(steps[MAX_STEPS:])}


def serialize_step(
    kind: str, address: str, targets: list[str], lookups: list[Lookup], scope: VisibleScope
) -> Data:
    step = {"what": kind, "address": address, "targets": targets}
    return step | {"lookups": serialize_lookups(lookups, scope)}


def find_visible_expansions(route: Route, scope: VisibleScope) -> list[AliasExpansion]:
    """Return the expansions that are reached by visible ones only."""
    expansions = {each.address: each for each in route.expansions}
    found: dict[str, AliasExpansion] = {}
    queue = deque([route.address])
    while queue:
        expansion = expansions.get(address := queue.popleft())
        if address not in found and expansion and is_visible_expansion(expansion, scope):
            found[address] = expansion
            queue += expansion.targets
    return list(found.values())


def is_visible_expansion(expansion: AliasExpansion, scope: VisibleScope) -> bool:
    return scope.can_see(expansion.address) and all(map(scope.can_see_rows, expansion.lookups))


def find_visible_deliveries(route: Route, scope: VisibleScope) -> list[Delivery]:
    """Return the deliveries that are reached by visible expansions; the others are foreign."""
    if scope.can_see_all or not route.is_accepted:
        return route.deliveries
    expansions = find_visible_expansions(route, scope)
    reached = {each.address.lower() for each in expansions}
    named = {route.address.lower()} | {t.lower() for each in expansions for t in each.targets}
    reached |= {a for a in named if is_vacation_target(a) and scope.can_see(a)}
    return [each for each in route.deliveries if each.address.lower() in reached] + [
        Delivery(address, "foreign") for address in sorted(named - reached)
    ]


def serialize_delivery(delivery: Delivery, scope: VisibleScope) -> Data:
    data: Data = {
        "address": quote_address(delivery.address),
        "kind": delivery.kind,
        "lookups": serialize_lookups(delivery.lookups, scope),
    }
    if scope.can_see_all and delivery.kind != "mailbox":
        names = ("transport", "nexthop", "reason")
        data |= {name: getattr(delivery, name) for name in names}
    if delivery.kind == "mailbox":
        data |= get_mailbox_details(delivery)
    if delivery.kind == "autoreply":
        data |= get_vacation_details(delivery)
    return data | {"verdict": get_verdict(data)}


def get_mailbox_details(delivery: Delivery) -> Data:
    usage = Usage.objects.filter(pk=delivery.row).first()
    quota, used = max(int(delivery.quota or 0), 0), usage.bytes if usage else 0
    return {
        "mailbox": delivery.row,
        "path": delivery.nexthop,
        "quota": quota,
        "used": used,
        "is_over": 0 < quota <= used,
    }


def get_vacation_details(delivery: Delivery) -> Data:
    """Return whose auto-reply it is, and whether it is sent now."""
    mailbox = find_vacation_owner(delivery.address)
    vacation = Vacation.objects.filter(pk=mailbox).first()
    return {"mailbox": mailbox, "answers": vacation is not None and vacation.status == "now"}


# Domains


def explain_domain(domain: "AnnotatedDomain", transport: str) -> tuple[str, str]:
    """Return what happens to mail for a domain with this transport: (outcome, its text)."""
    if domain.mirror_target and domain.active:
        return explain_alias_domain(domain)
    outcome = get_domain_outcome(domain, transport)
    return outcome, str(messages.DOMAIN_MESSAGES[outcome])


def annotate_alias_domain(domains: QuerySet[Domain], name: str) -> "QuerySet[AnnotatedDomain]":
    """Add the target of an active alias domain of this name, and whether the target is active."""
    mirror = AliasDomain._base_manager.filter(pk=name, active=True)
    return domains.annotate(
        mirror_target=Subquery(mirror.values("target_domain")[:1]),
        is_target_active=Subquery(mirror.values("target_domain__active")[:1]),
    )


def explain_alias_domain(domain: "AnnotatedDomain") -> tuple[str, str]:
    if not domain.is_target_active:
        return messages.REJECTED, str(messages.DOMAIN_MESSAGES[messages.REJECTED])
    text = _("Mail is delivered as mail to %(target)s.")
    if domain.state.mailboxes or domain.state.aliases:
        text = _(
            "Mail is delivered as mail to %(target)s, except to its own mailboxes and aliases."
        )
    return messages.DELIVERED, text % {"target": domain.mirror_target}


def get_domain_outcome(domain: Domain, transport: str) -> str:
    service, _colon, nexthop = transport.partition(":")
    if not domain.active:
        return messages.REJECTED
    if service in TERMINAL_SERVICES:
        return messages.VERDICTS[TERMINAL_SERVICES[service]]
    if find_service_problem(service):
        return messages.DEFERRED
    is_own = transport == DOVECOT_LMTP_TRANSPORT or (service in ("", VIRTUAL_AGENT) and not nexthop)
    return messages.DELIVERED if is_own and not domain.backupmx else messages.HANDED_OVER
