"""Find targets of aliases that receive no mail, among the domains of this panel.

Where mail is passed on (another transport, a backup MX) the panel does not know the recipients.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from domains.models import Domain, Transport
from domains.patterns import DEFAULT_DELIVERY, get_transport_lookup_keys, is_default_transport
from mailadmin.accounts.models import Role
from mailadmin.db.bulk import chunks
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import fold
from mailadmin.translation import gettext as _
from mailadmin.translation import ngettext
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.addresses import split_address
from mailboxes.services.lookup_keys import iter_lookup_keys

MISSING, INACTIVE, NO_DOMAIN = "missing", "inactive", "bare"


@dataclass
class TargetContext:
    """The domains and addresses that some targets name, as far as they exist."""

    domains: dict[str, bool] = field(default_factory=dict)  # delivered here → whether active
    alias_domains: dict[str, str] = field(default_factory=dict)  # → target domain
    states: dict[str, bool] = field(default_factory=dict)  # address → whether it takes mail


MAX_CHECKED_TARGETS = 100  # of one alias that are looked at
MAX_PROBLEM_TEXTS = 10


def find_alias_problems(principal: Any, aliases: Sequence[Alias]) -> dict[str, list[str]]:
    """Return alias → a text for each of its targets that receives no mail; only such aliases."""
    found = find_undeliverable_targets(principal, aliases)
    return {key: truncate_texts(format_wrong_targets(wrong)) for key, wrong in found.items()}


def find_undeliverable_targets(
    principal: Any, aliases: Sequence[Alias]
) -> dict[str, dict[str, str]]:
    """Return alias → its targets that receive no mail → why; only such aliases.

    An alias without any target has an empty dict.
    """
    aliases = [alias for alias in aliases if not alias.is_to_itself]
    targets = {alias.pk: get_checked_targets(alias) for alias in aliases}
    wrong = find_target_problems(principal, {each for named in targets.values() for each in named})
    found = {
        alias.pk: {each: wrong[each] for each in targets[alias.pk] if each in wrong}
        for alias in aliases
    }
    empty = {alias.pk for alias in aliases if alias.goto and not alias.targets}
    return {key: kinds for key, kinds in found.items() if kinds or key in empty}


def format_wrong_targets(wrong: Mapping[str, str]) -> list[str]:
    """Return a text for each wrong target of an alias, or that it has none at all."""
    if not wrong:
        return [_("Mail is not delivered to any mailbox.")]
    return [format_target_problem(target, kind) for target, kind in wrong.items()]


def find_alias_warnings(principal: Any, aliases: Sequence[Alias]) -> dict[str, list[str]]:
    """Return alias → its targets that receive no mail or send it back; only such aliases."""
    found = find_alias_problems(principal, aliases)
    for key, texts in find_returning_targets(principal, aliases).items():
        found[key] = [*found.get(key, []), *texts]
    return found


def find_returning_targets(principal: Any, aliases: Sequence[Alias]) -> dict[str, list[str]]:
    """Return alias → a text for each of its targets that forwards back to it; only such aliases."""
    targets = {alias.pk: get_checked_targets(alias) for alias in aliases if alias.active}
    names = sorted({each for named in targets.values() for each in named})
    back: dict[str, set[str]] = {}
    for part in chunks(names):
        rows = Alias.objects.visible_to(principal).filter(pk__in=part, active=True)
        back |= {fold(row.pk): {target.lower() for target in row.others} for row in rows}
    text = _(
        "%(target)s and %(address)s forward to each other. Mail is stored only where a copy is"
        " kept."
    )
    found = {
        key: [text % {"target": t, "address": key} for t in named if fold(key) in back.get(t, ())]
        for key, named in targets.items()
    }
    return {key: truncate_texts(texts) for key, texts in found.items() if texts}


def get_checked_targets(alias: Alias) -> list[str]:
    """Return the targets to check: the first ones of a very long list."""
    return sorted(dict.fromkeys(target.lower() for target in alias.others[:MAX_CHECKED_TARGETS]))


def truncate_texts(texts: list[str]) -> list[str]:
    """Return the first texts, and how many more there are."""
    more = len(texts) - MAX_PROBLEM_TEXTS
    return (
        texts
        if more <= 0
        else [
            *texts[:MAX_PROBLEM_TEXTS],
            ngettext("and %(n)s more", "and %(n)s more", more) % {"n": more},
        ]
    )


def format_target_problem(target: str, kind: str) -> str:
    if kind == MISSING:
        text = _("%(target)s does not exist; mail to it will bounce.")
    elif kind == INACTIVE:
        text = _("%(target)s is inactive; mail to it will bounce.")
    else:
        text = _("%(target)s has no domain: mail goes to a system user of the mail server.")
    return text % {"target": target}


def find_target_problems(principal: Any, targets: set[str]) -> dict[str, str]:
    """Return target → why it receives no mail; only such targets."""
    context = load_target_context(principal, sorted(targets))
    found = {target: classify_target(target, context) for target in sorted(targets)}
    found = {target: kind for target, kind in found.items() if kind}
    rerouted = find_rerouted(target for target in found if "@" in target)
    return {target: kind for target, kind in found.items() if target not in rerouted}


def classify_target(target: str, context: TargetContext) -> str:
    """Return why a target receives no mail; empty if it does, or if that is not known."""
    if "@" not in target:
        return NO_DOMAIN
    local_part, domain = split_address(target)
    if not local_part or domain not in context.domains:
        return ""
    if not context.domains[domain]:
        return INACTIVE
    keys = iter_lookup_keys(target, context.alias_domains)
    found = [context.states[key] for key in keys if key in context.states]
    if any(found):
        return ""
    return INACTIVE if found else MISSING


def load_target_context(principal: Any, targets: list[str]) -> TargetContext:
    """Load what these targets name, in a few queries."""
    context = TargetContext()
    addresses = [target for target in targets if "@" in target]
    load_domain_states(principal, context, sorted({split_address(each)[1] for each in addresses}))
    addresses = [each for each in addresses if split_address(each)[1] in context.domains]
    keys = {key for each in addresses for key in iter_lookup_keys(each, context.alias_domains)}
    load_address_states(context, sorted(keys))
    return context


def load_domain_states(principal: Any, context: TargetContext, names: list[str]) -> None:
    """Add the domains in the scope of this person, and the targets of alias domains."""
    columns = ("domain", "active", "backupmx", "transport")
    of_alias_domain = ("mirror__active", "mirror__target_domain_id")
    for part in chunks(names):
        rows = get_checked_domains(principal).filter(pk__in=part)
        for name, active, backupmx, transport, *target in rows.values_list(
            *columns, *of_alias_domain
        ):
            if not backupmx and is_default_transport(transport):
                context.domains[fold(name)] = active
            if target[0]:
                context.alias_domains[fold(name)] = fold(target[1])
    drop_foreign_alias_domains(principal, context)


def get_checked_domains(principal: Any) -> QuerySet[Domain]:
    """Return the domains whose addresses a principal may learn about: an owner those of their own.

    Nobody learns which addresses exist in a domain that they may not see.
    """
    if getattr(principal, "role", None) is Role.MAILBOX:
        return Domain.objects.filter(pk=principal.domain_id)
    return Domain.objects.visible_to(principal)


def drop_foreign_alias_domains(principal: Any, context: TargetContext) -> None:
    """Drop alias domains whose target is out of scope: its recipients are not to be revealed."""
    targets = set(context.alias_domains.values()) - set(context.domains)
    if not targets:
        return
    rows = get_checked_domains(principal).filter(pk__in=targets)
    visible = {fold(name) for name in rows.values_list("pk", flat=True)}
    for name, target in context.alias_domains.items():
        if target in targets - visible:
            context.domains.pop(name, None)


ALIAS_STATES = CompiledQuery(
    lambda keys: (
        Alias.objects.filter(pk__in=keys)
        .annotate(
            mailbox=Subquery(Mailbox.objects.filter(pk=OuterRef("pk")).values("active")),
            sends_on=Q(active=True) & ~Q(goto=F("address")),
        )
        .values_list("pk", "active", "mailbox", "sends_on")
    )
)


def load_address_states(context: TargetContext, keys: list[str]) -> None:
    """Add which of these addresses exist, and whether they receive mail."""
    for part in chunks(keys):
        for key, active, owner, sends_on in ALIAS_STATES.fetch(keys=part):
            context.states[fold(key)] = active if owner is None else bool(owner or sends_on)
        others = [key for key in part if key not in context.states and not key.startswith("@")]
        if others:  # mailboxes that another program created without alias
            rows = Mailbox.objects.filter(pk__in=others).values_list("pk", "active")
            context.states |= {fold(key): active for key, active in rows}


REROUTED_KEYS = CompiledQuery(
    lambda keys: (
        Transport.objects.filter(active=True, pk__in=keys)
        .exclude(transport=DEFAULT_DELIVERY)
        .values_list("pk")
    )
)


def find_rerouted(addresses: Iterable[str]) -> set[str]:
    """Return the addresses for which a row of the transport table is in effect."""
    keys = {each: {each, *get_transport_lookup_keys(split_address(each)[1])} for each in addresses}
    found = set()
    for part in chunks(sorted({key for own in keys.values() for key in own})):
        found |= {fold(key) for (key,) in REROUTED_KEYS.fetch(keys=part)}
    return {each for each, own in keys.items() if not found.isdisjoint(own)}
