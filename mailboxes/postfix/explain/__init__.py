"""What happens to mail for an address, step by step, as far as a person may know it.

One structure for the page, the command and the API; its words are the interface's.
"""

import itertools
from collections import deque

from django.core.exceptions import ValidationError
from django.db.models import Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from domains.models import AliasDomain, Domain
from domains.patterns import VIRTUAL_AGENT, find_service_problem
from mailadmin.db.fields import is_known_date
from mailadmin.names import normalize_domain
from mailboxes.models import Mailbox, Usage, Vacation, is_vacation_target
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.messages import format_headline, get_outcome, get_verdict
from mailboxes.postfix.explain.redaction import VisibleScope, find_vacation_owner
from mailboxes.postfix.routing import (
    DOVECOT_LMTP_TRANSPORT,
    TERMINAL_SERVICES,
    LookupUnavailable,
    PostfixRouter,
    build_panel_config,
    format_sender_reply,
    parse_typed_address,
    quote_address,
    split_address,
)

ROW_URL_NAMES = {
    "alias": "aliases-edit",
    "mailbox": "mailboxes-edit",
    "aliasdomain": "alias-domains-edit",
    "domain": "domain",
    "transport": "transports-edit",
}


MAX_STEPS = 100


def explain(principal, address, sender="", setup=None):
    """The route of mail for the address, who may send as it, and whether the sender may."""
    address, sight = clean_queried_address(address), VisibleScope(principal)
    if not sight.can_see(address):
        raise ValidationError({"address": _("This address is in none of your domains.")})
    postfix = PostfixRouter(setup or build_panel_config())
    told = {"address": address, "steps": [], "more_steps": 0, "deliveries": [], "trouble": ""}
    told["left_out"] = postfix.setup.left_out
    try:
        route = postfix.route(address)
        told |= serialize_route(route, sight) | truncate_steps(serialize_steps(route, sight))
        told["deliveries"] = [
            serialize_delivery(each, sight) for each in find_visible_deliveries(route, sight)
        ]
    except LookupUnavailable as error:
        told["trouble"] = str(error)
    told |= serialize_senders(postfix, address, sender, sight)
    return told | {"outcome": get_outcome(told), "says": format_headline(told)}


def clean_queried_address(text):
    """An address as Postfix would be given it: its domain in ASCII."""
    try:
        local_part, domain = split_address(parse_typed_address(text))
        return f"{local_part}@{normalize_domain(domain)}"
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from error


# Parts of the answer


def serialize_route(route, sight):
    return {
        "class": route.kind,
        "accepted": route.is_accepted,
        "reply": route.reply,
        "loop": list(collapse_repeats(a if sight.can_see(a) else "…" for a in route.loop)),
        "is_circle": route.is_circle,
    }


def collapse_repeats(addresses):
    """How many foreign addresses lie between is nobody's business."""
    return (address for address, _same in itertools.groupby(addresses))


def truncate_steps(found: list[dict]) -> dict:
    """The first steps, and how many are left out: a way without end has a thousand."""
    return {"steps": found[:MAX_STEPS], "more_steps": len(found[MAX_STEPS:])}


def serialize_steps(route, sight):
    """What is asked at the door, then each address that an alias leads to."""
    door = {"what": "recipient", "address": route.address, "targets": []}
    return [door | {"lookups": serialize_lookups(route.lookups, sight)}] + [
        {
            "what": "alias",
            "address": hop.address,
            "targets": hop.targets,
            "lookups": serialize_lookups(hop.lookups, sight),
        }
        for hop in find_visible_expansions(route, sight)
    ]


def find_visible_expansions(route, sight):
    """The hops that lead from own address to own address."""
    hops = {hop.address: hop for hop in route.expansions}
    waiting, seen = deque([route.address]), {}
    while waiting:
        address = waiting.popleft()
        if address not in seen and address in hops and is_visible_expansion(hops[address], sight):
            seen[address] = hops[address]
            waiting += hops[address].targets
    return list(seen.values())


def is_visible_expansion(hop, sight):
    return sight.can_see(hop.address) and all(sight.can_see_rows(lookup) for lookup in hop.lookups)


def find_visible_deliveries(route, sight):
    """Deliveries that a person may follow to; the others leave his domains."""
    if sight.can_see_all or not route.is_accepted:
        return route.deliveries
    own = find_visible_expansions(route, sight)
    reached = {hop.address.lower() for hop in own}
    named = {route.address.lower()} | {t.lower() for hop in own for t in hop.targets}
    reached |= {a for a in named if is_vacation_target(a) and sight.can_see(a)}
    return [each for each in route.deliveries if each.address.lower() in reached] + [
        ForeignDelivery(address) for address in sorted(named - reached)
    ]


class ForeignDelivery:
    """Where a way leaves what a person may see."""

    kind, transport, nexthop, row, reason, lookups = "foreign", "", "", "", "", ()

    def __init__(self, address):
        self.address = address


def serialize_delivery(each, sight):
    told = {
        "address": quote_address(each.address),
        "kind": each.kind,
        "lookups": serialize_lookups(each.lookups, sight),
    }
    if sight.can_see_all and each.kind != "mailbox":
        told |= {"transport": each.transport, "nexthop": each.nexthop, "reason": each.reason}
    told |= DELIVERY_DETAILS.get(each.kind, get_no_details)(each)
    return told | {"verdict": get_verdict(told)}


def get_no_details(_each):
    return {}


def get_mailbox_details(each):
    """Where it lies, how much it holds and may hold."""
    usage = Usage.objects.filter(pk=each.row).first()
    quota, used = max(int(each.quota or 0), 0), usage.bytes if usage else 0
    return {
        "mailbox": each.row,
        "path": each.nexthop,
        "quota": quota,
        "used": used,
        "is_over": 0 < quota <= used,
    }


def get_vacation_details(each):
    """Whose answer, and whether it is given now."""
    mailbox = find_vacation_owner(each.address)
    vacation = Vacation.objects.filter(pk=mailbox).first()
    return {"mailbox": mailbox, "answers": bool(vacation) and is_vacation_active(vacation)}


def is_vacation_active(vacation):
    now = timezone.now()
    begun = not is_known_date(vacation.activefrom) or vacation.activefrom <= now
    over = is_known_date(vacation.activeuntil) and vacation.activeuntil < now
    return vacation.active and begun and not over


DELIVERY_DETAILS = {"mailbox": get_mailbox_details, "autoreply": get_vacation_details}


def serialize_senders(postfix, address, sender, sight):
    """Who may send as the address; and what a sender hears who may not."""
    told, asked = {"senders": [], "sender_lookups": [], "sender_trouble": ""}, []
    try:
        owners = postfix.find_sender_logins(address, asked)
    except LookupUnavailable as error:
        return told | {"sender_trouble": str(error)}
    if not all(sight.can_see_rows(lookup) for lookup in asked):
        return told | {"sender_trouble": _("It leaves your domains.")}
    told["senders"] = filter_visible_logins(owners, sight) if postfix.setup.is_own else owners
    told["sender_lookups"] = serialize_lookups(asked, sight)
    if sender:
        told["sender"] = check_sender(owners, sender.strip().lower(), address, sight)
    return told


def filter_visible_logins(owners, sight):
    """Those who can sign in; an alias may lead to other people too."""
    own = Mailbox.objects.visible_to(sight.principal).filter(active=True)
    names = {owner.lower() for owner in owners}
    return sorted(own.filter(pk__in=names).values_list("pk", flat=True))


def check_sender(owners, login, address, sight):
    """Postfix's words, or what keeps the login from getting so far."""
    reply = format_sender_reply(login, address, owners)
    mailbox = Mailbox.objects.filter(pk=login).first() if sight.can_see(login) else None
    if not reply and mailbox and not (mailbox.active and mailbox.smtp_active):
        reply = _("%(login)s cannot sign in to send.") % {"login": login}
    return {"login": login, "may": not reply, "reply": reply}


# A whole domain


def explain_domain(domain, transport: str) -> tuple[str, str]:
    """What becomes of mail for a domain with this transport in force: (outcome, its words)."""
    if domain.mirror_target and domain.active:
        return explain_alias_domain(domain)
    found = get_domain_outcome(domain, transport)
    return found, str(messages.DOMAIN_MESSAGES[found])


def annotate_alias_domain(domains, name: str):
    """Domains, with the target of an active alias domain of this name and whether it is active."""
    mirror = AliasDomain._base_manager.filter(pk=name, active=True)
    return domains.annotate(
        mirror_target=Subquery(mirror.values("target_domain")[:1]),
        is_target_active=Subquery(mirror.values("target_domain__active")[:1]),
    )


def explain_alias_domain(domain: Domain) -> tuple[str, str]:
    """The same for an alias domain, whose mail is that of its target."""
    if not domain.is_target_active:
        return messages.REJECTED, str(messages.DOMAIN_MESSAGES[messages.REJECTED])
    text = _("Mail is delivered as mail for %(target)s.")
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


# Lookups


def serialize_lookups(asked, sight):
    """Each question once, with its SQL and the rows that answered or would have."""
    told = {}
    for lookup in asked:
        if sight.can_see_rows(lookup) and (lookup.table.name, lookup.key) not in told:
            told[lookup.table.name, lookup.key] = {
                "table": lookup.table.name,
                "title": str(lookup.table.title),
                "key": lookup.key,
                "sql": lookup.table.sql,
                "answer": lookup.value,
                "said": format_lookup_answer(lookup),
                "rows": [serialize_row(row) for row in lookup.rows],
                "inactive": [serialize_row(row) for row in lookup.asleep],
            }
    return list(told.values())


def format_lookup_answer(lookup):
    """The answer as people say it: a table that lets pass has no objection."""
    return _("no") if lookup.value == "DUNNO" else lookup.value or lookup.key


def serialize_row(row):
    told = {
        "table": row.model,
        "key": row.key,
        "url": reverse(ROW_URL_NAMES[row.model], args=[row.key]),
    }
    return told | ({"reason": str(row.reason)} if row.reason else {})
