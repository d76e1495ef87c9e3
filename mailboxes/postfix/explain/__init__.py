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
from domains.patterns import AGENT, service_trouble
from mailadmin.db.fields import is_known
from mailadmin.names import normalize_domain
from mailboxes.models import Mailbox, Usage, Vacation, is_vacation_target
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.messages import headline, outcome, verdict_of
from mailboxes.postfix.explain.redaction import Sight, person_away
from mailboxes.postfix.routing import (
    DELIVERY,
    OWN_ENDS,
    CannotBeAsked,
    Postfix,
    own_setup,
    quoted,
    sender_reply,
    split_address,
    typed_address,
)

PAGES = {
    "alias": "aliases-edit",
    "mailbox": "mailboxes-edit",
    "aliasdomain": "alias-domains-edit",
    "domain": "domain",
    "transport": "transports-edit",
}


MOST_STEPS = 100


def explain(principal, address, sender="", setup=None):
    """The route of mail for the address, who may send as it, and whether the sender may."""
    address, sight = asked_address(address), Sight(principal)
    if not sight.sees(address):
        raise ValidationError({"address": _("This address is in none of your domains.")})
    postfix = Postfix(setup or own_setup())
    told = {"address": address, "steps": [], "more_steps": 0, "deliveries": [], "trouble": ""}
    told["left_out"] = postfix.setup.left_out
    try:
        route = postfix.route(address)
        told |= verdict(route, sight) | shortened(steps(route, sight))
        told["deliveries"] = [delivery(each, sight) for each in ends(route, sight)]
    except CannotBeAsked as error:
        told["trouble"] = str(error)
    told |= sending(postfix, address, sender, sight)
    return told | {"outcome": outcome(told), "says": headline(told)}


def asked_address(text):
    """An address as Postfix would be given it: its domain in ASCII."""
    try:
        local_part, domain = split_address(typed_address(text))
        return f"{local_part}@{normalize_domain(domain)}"
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from error


# Parts of the answer


def verdict(route, sight):
    return {
        "class": route.kind,
        "accepted": route.is_accepted,
        "reply": route.reply,
        "loop": list(without_repeats(a if sight.sees(a) else "…" for a in route.loop)),
        "is_circle": route.is_circle,
    }


def without_repeats(addresses):
    """How many foreign addresses lie between is nobody's business."""
    return (address for address, _same in itertools.groupby(addresses))


def shortened(found: list[dict]) -> dict:
    """The first steps, and how many are left out: a way without end has a thousand."""
    return {"steps": found[:MOST_STEPS], "more_steps": len(found[MOST_STEPS:])}


def steps(route, sight):
    """What is asked at the door, then each address that an alias leads to."""
    door = {"what": "recipient", "address": route.address, "targets": []}
    return [door | {"lookups": lookups(route.lookups, sight)}] + [
        {
            "what": "alias",
            "address": hop.address,
            "targets": hop.targets,
            "lookups": lookups(hop.lookups, sight),
        }
        for hop in followed(route, sight)
    ]


def followed(route, sight):
    """The hops that lead from own address to own address."""
    hops = {hop.address: hop for hop in route.hops}
    waiting, seen = deque([route.address]), {}
    while waiting:
        address = waiting.popleft()
        if address not in seen and address in hops and is_own(hops[address], sight):
            seen[address] = hops[address]
            waiting += hops[address].targets
    return list(seen.values())


def is_own(hop, sight):
    return sight.sees(hop.address) and all(sight.sees_rows(lookup) for lookup in hop.lookups)


def ends(route, sight):
    """Deliveries that a person may follow to; the others leave his domains."""
    if sight.sees_all or not route.is_accepted:
        return route.deliveries
    own = followed(route, sight)
    reached = {hop.address.lower() for hop in own}
    named = {route.address.lower()} | {t.lower() for hop in own for t in hop.targets}
    reached |= {a for a in named if is_vacation_target(a) and sight.sees(a)}
    return [each for each in route.deliveries if each.address.lower() in reached] + [
        Left(address) for address in sorted(named - reached)
    ]


class Left:
    """Where a way leaves what a person may see."""

    kind, transport, nexthop, row, reason, lookups = "foreign", "", "", "", "", ()

    def __init__(self, address):
        self.address = address


def delivery(each, sight):
    told = {
        "address": quoted(each.address),
        "kind": each.kind,
        "lookups": lookups(each.lookups, sight),
    }
    if sight.sees_all and each.kind != "mailbox":
        told |= {"transport": each.transport, "nexthop": each.nexthop, "reason": each.reason}
    told |= DETAILS.get(each.kind, nothing_more)(each)
    return told | {"verdict": verdict_of(told)}


def nothing_more(_each):
    return {}


def mailbox_details(each):
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


def vacation_details(each):
    """Whose answer, and whether it is given now."""
    mailbox = person_away(each.address)
    vacation = Vacation.objects.filter(pk=mailbox).first()
    return {"mailbox": mailbox, "answers": bool(vacation) and is_on(vacation)}


def is_on(vacation):
    now = timezone.now()
    begun = not is_known(vacation.activefrom) or vacation.activefrom <= now
    over = is_known(vacation.activeuntil) and vacation.activeuntil < now
    return vacation.active and begun and not over


DETAILS = {"mailbox": mailbox_details, "autoreply": vacation_details}


def sending(postfix, address, sender, sight):
    """Who may send as the address; and what a sender hears who may not."""
    told, asked = {"senders": [], "sender_lookups": [], "sender_trouble": ""}, []
    try:
        owners = postfix.owners(address, asked)
    except CannotBeAsked as error:
        return told | {"sender_trouble": str(error)}
    if not all(sight.sees_rows(lookup) for lookup in asked):
        return told | {"sender_trouble": _("It leaves your domains.")}
    told["senders"] = with_mailbox(owners, sight) if postfix.setup.is_own else owners
    told["sender_lookups"] = lookups(asked, sight)
    if sender:
        told["sender"] = asked_sender(owners, sender.strip().lower(), address, sight)
    return told


def with_mailbox(owners, sight):
    """Those who can sign in; an alias may lead to other people too."""
    own = Mailbox.objects.visible_to(sight.principal).filter(active=True)
    names = {owner.lower() for owner in owners}
    return sorted(own.filter(pk__in=names).values_list("pk", flat=True))


def asked_sender(owners, login, address, sight):
    """Postfix's words, or what keeps the login from getting so far."""
    reply = sender_reply(login, address, owners)
    mailbox = Mailbox.objects.filter(pk=login).first() if sight.sees(login) else None
    if not reply and mailbox and not (mailbox.active and mailbox.smtp_active):
        reply = _("%(login)s cannot sign in to send.") % {"login": login}
    return {"login": login, "may": not reply, "reply": reply}


# A whole domain


def explain_domain(domain, transport: str) -> tuple[str, str]:
    """What becomes of mail for a domain with this transport in force: (outcome, its words)."""
    if domain.mirror_target and domain.active:
        return explain_mirror(domain)
    found = outcome_of_domain(domain, transport)
    return found, str(messages.OF_DOMAIN[found])


def with_mirror(domains, name: str):
    """Domains, with the target of an active alias domain of this name and whether it is active."""
    mirror = AliasDomain._base_manager.filter(pk=name, active=True)
    return domains.annotate(
        mirror_target=Subquery(mirror.values("target_domain")[:1]),
        is_target_active=Subquery(mirror.values("target_domain__active")[:1]),
    )


def explain_mirror(domain: Domain) -> tuple[str, str]:
    """The same for an alias domain, whose mail is that of its target."""
    if not domain.is_target_active:
        return messages.REJECTED, str(messages.OF_DOMAIN[messages.REJECTED])
    text = _("Mail is delivered as mail for %(target)s.")
    return messages.DELIVERED, text % {"target": domain.mirror_target}


def outcome_of_domain(domain: Domain, transport: str) -> str:
    service, _colon, nexthop = transport.partition(":")
    if not domain.active:
        return messages.REJECTED
    if service in OWN_ENDS:
        return messages.VERDICTS[OWN_ENDS[service]]
    if service_trouble(service):
        return messages.DEFERRED
    is_own = transport == DELIVERY or (service in ("", AGENT) and not nexthop)
    return messages.DELIVERED if is_own and not domain.backupmx else messages.HANDED_OVER


# Lookups


def lookups(asked, sight):
    """Each question once, with its SQL and the rows that answered or would have."""
    told = {}
    for lookup in asked:
        if sight.sees_rows(lookup) and (lookup.table.name, lookup.key) not in told:
            told[lookup.table.name, lookup.key] = {
                "table": lookup.table.name,
                "title": str(lookup.table.title),
                "key": lookup.key,
                "sql": lookup.table.sql,
                "answer": lookup.value,
                "said": said(lookup),
                "rows": [row_told(row) for row in lookup.rows],
                "inactive": [row_told(row) for row in lookup.asleep],
            }
    return list(told.values())


def said(lookup):
    """The answer as people say it: a table that lets pass has no objection."""
    return _("no") if lookup.value == "DUNNO" else lookup.value or lookup.key


def row_told(row):
    told = {"table": row.model, "key": row.key, "url": reverse(PAGES[row.model], args=[row.key])}
    return told | ({"reason": str(row.reason)} if row.reason else {})
