"""Targets of aliases at which no mail arrives: in the domains of this panel, many at once.

Where mail is handed on (another transport, a backup MX) the panel does not know who is there.
"""

from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import gettext as _

from domains.models import Domain, Transport
from domains.patterns import DEFAULT_DELIVERY, get_transport_lookup_keys, is_default_transport
from mailadmin.db.bulk import chunks
from mailadmin.names import fold
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.routing import split_address, split_extension

MISSING, INACTIVE, NO_DOMAIN = "missing", "inactive", "bare"


@dataclass
class TargetContext:
    """What is there of the domains and addresses that some targets name."""

    domains: dict[str, bool] = field(default_factory=dict)  # those looked into → whether active
    mirrors: dict[str, str] = field(default_factory=dict)
    states: dict[str, bool] = field(default_factory=dict)  # address → whether it takes mail


MAX_CHECKED_TARGETS = 100  # of one alias that are looked at
MAX_PROBLEM_TEXTS = 10


def find_alias_problems(principal, aliases: list[Alias]) -> dict[str, list[str]]:
    """Return the aliases with targets at which no mail arrives, and a text for each of these."""
    targets = {alias.pk: get_checked_targets(alias) for alias in aliases}
    wrong = find_target_problems(principal, {each for named in targets.values() for each in named})
    found = {}
    for alias in aliases:
        texts = [
            format_target_problem(each, wrong[each]) for each in targets[alias.pk] if each in wrong
        ]
        if not alias.targets and alias.goto:
            texts.append(_("It has no target at which mail is kept."))
        if texts:
            found[alias.pk] = truncate_texts(texts)
    return found


def get_checked_targets(alias: Alias) -> list[str]:
    """Return the targets that are looked at; of a list without end, the first."""
    return sorted(dict.fromkeys(target.lower() for target in alias.others[:MAX_CHECKED_TARGETS]))


def truncate_texts(texts: list[str]) -> list[str]:
    """Return as many texts as somebody reads, and how many more there are."""
    more = len(texts) - MAX_PROBLEM_TEXTS
    return texts if more <= 0 else [*texts[:MAX_PROBLEM_TEXTS], _("and %(n)s more") % {"n": more}]


def format_target_problem(target: str, kind: str) -> str:
    texts = {
        MISSING: _("%(target)s does not exist."),
        INACTIVE: _("%(target)s is inactive."),
        NO_DOMAIN: _("%(target)s has no domain: it is a user of the mail server’s own system."),
    }
    return texts[kind] % {"target": target}


def find_target_problems(principal, targets: set[str]) -> dict[str, str]:
    """Return the targets at which no mail arrives, and why."""
    there = load_target_context(principal, sorted(targets))
    found = {target: classify_target(target, there) for target in sorted(targets)}
    found = {target: kind for target, kind in found.items() if kind}
    rerouted = find_rerouted(target for target in found if "@" in target)
    return {target: kind for target, kind in found.items() if target not in rerouted}


def classify_target(target: str, there: TargetContext) -> str:
    """Return what is wrong with a target, if anything is known to be."""
    if "@" not in target:
        return NO_DOMAIN
    local_part, domain = split_address(target)
    if not local_part or domain not in there.domains:
        return ""
    if not there.domains[domain]:
        return INACTIVE
    found = [there.states[key] for key in build_lookup_keys(target, there) if key in there.states]
    if any(found):
        return ""
    return INACTIVE if found else MISSING


def build_lookup_keys(target: str, there: TargetContext) -> list[str]:
    """Return what Postfix looks up for a target, also by the domain that is mirrored."""
    local_part, domain = split_address(target)
    name = split_extension(local_part, settings.MAILADMIN_RECIPIENT_DELIMITER)[0]
    places = [place for place in (domain, there.mirrors.get(domain)) if place]
    parts = dict.fromkeys([local_part, name, ""])
    return [f"{part}@{place}" for place in places for part in parts]


def load_target_context(principal, targets: list[str]) -> TargetContext:
    """Ask for all that these targets name, some at a time."""
    there = TargetContext()
    addresses = [target for target in targets if "@" in target]
    load_domain_states(principal, there, sorted({split_address(each)[1] for each in addresses}))
    addresses = [each for each in addresses if split_address(each)[1] in there.domains]
    load_address_states(
        there, sorted({key for each in addresses for key in build_lookup_keys(each, there)})
    )
    return there


def load_domain_states(principal, there: TargetContext, names: list[str]) -> None:
    """Add the domains of this person's whose addresses are looked for, and what they mirror."""
    columns = ("domain", "active", "backupmx", "transport")
    mirror = ("mirror__active", "mirror__target_domain_id")
    for part in chunks(names):
        rows = Domain.objects.visible_to(principal).filter(pk__in=part)
        for name, active, backupmx, transport, *mirrored in rows.values_list(*columns, *mirror):
            if not backupmx and is_default_transport(transport):
                there.domains[fold(name)] = active
            if mirrored[0]:
                there.mirrors[fold(name)] = fold(mirrored[1])
    drop_foreign_alias_domains(principal, there)


def drop_foreign_alias_domains(principal, there: TargetContext) -> None:
    """Who is in a domain of somebody else is not told, though an own one mirrors it."""
    targets = set(there.mirrors.values()) - set(there.domains)
    if not targets:
        return
    rows = Domain.objects.visible_to(principal).filter(pk__in=targets)
    visible = {fold(name) for name in rows.values_list("pk", flat=True)}
    for name, target in there.mirrors.items():
        if target in targets - visible:
            there.domains.pop(name, None)


def load_address_states(there: TargetContext, keys: list[str]) -> None:
    """Add which of these addresses there are, and whether they take mail."""
    mailbox = Mailbox.objects.filter(pk=OuterRef("pk")).values("active")
    for part in chunks(keys):
        aliases = Alias.objects.filter(pk__in=part).annotate(
            mailbox=Subquery(mailbox), sends_on=Q(active=True) & ~Q(goto=F("address"))
        )
        for key, active, owner, sends_on in aliases.values_list(
            "pk", "active", "mailbox", "sends_on"
        ):
            there.states[fold(key)] = active if owner is None else bool(owner or sends_on)
        others = [key for key in part if key not in there.states and not key.startswith("@")]
        if others:  # a mailbox whose alias others forgot
            rows = Mailbox.objects.filter(pk__in=others).values_list("pk", "active")
            there.states |= {fold(key): active for key, active in rows}


def find_rerouted(addresses) -> set[str]:
    """Return the addresses whose mail a row of the transport table sends elsewhere."""
    keys = {each: {each, *get_transport_lookup_keys(split_address(each)[1])} for each in addresses}
    found = set()
    for part in chunks(sorted({key for own in keys.values() for key in own})):
        rows = Transport.objects.filter(active=True, pk__in=part).exclude(
            transport=DEFAULT_DELIVERY
        )
        found |= {fold(key) for key in rows.values_list("pk", flat=True)}
    return {each for each, own in keys.items() if not found.isdisjoint(own)}
