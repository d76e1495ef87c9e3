"""Targets of aliases: those that do not exist, cannot exist, or come back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Field, QuerySet

from domains.models import Domain
from domains.patterns import is_default_transport
from mailadmin.db.bulk import chunks
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailadmin.translation import join_messages
from mailboxes.goto_fields import clean_alias_target
from mailboxes.integrity.alias_rows import ALIAS_ROWS, MAILBOXES
from mailboxes.integrity.checks import IntegrityCheck, Problem, has_parent
from mailboxes.models import Alias, Mailbox, is_vacation_target
from mailboxes.models.goto import split_goto
from mailboxes.services.addresses import find_keys_of_mailboxes
from mailboxes.services.lookup_keys import iter_lookup_keys
from mailboxes.services.loops import (
    find_loop,
    iter_suspects,
    redact_loop,
    select_chained,
    strip_wildcard_extension,
)
from mailboxes.services.target_checks import (
    MAX_PROBLEM_TEXTS,
    MISSING,
    TargetContext,
    find_rerouted,
    find_undeliverable_targets,
    get_checked_targets,
    load_target_context,
)

ALIAS_KEY: Field = Alias._meta.pk
HOPS = 3  # that aliases must take to be looked at as parts of a loop
TO_ITSELF = {"goto": F("address")}


def select_forwarding(rows: QuerySet) -> QuerySet:
    """Return the active aliases that do more than keep their mail."""
    return rows.filter(active=True).exclude(**TO_ITSELF)


def build_problem(alias: Alias, text: Any) -> Problem:
    return Problem(alias.pk, text, alias.domain_id, key_url("alias", alias.pk))


def join_names(names: Sequence[str]) -> str:
    """Return the first names of a list that may be long."""
    return ", ".join(names[:MAX_PROBLEM_TEXTS]) + (", …" if len(names) > MAX_PROBLEM_TEXTS else "")


def find_missing_targets(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases that forward to an address of a domain here at which nothing exists."""
    aliases = list(select_forwarding(rows))
    found = find_undeliverable_targets(principal, aliases)
    for alias in aliases:
        wrong = [target for target, kind in found.get(alias.pk, {}).items() if kind == MISSING]
        if wrong:
            text = _("Nothing exists at %(targets)s.") % {"targets": join_names(wrong)}
            yield build_problem(alias, text)


def find_missing_own_mailboxes(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases that deliver to a mailbox of their address, where there is none."""
    to_itself = rows.filter(**TO_ITSELF, active=True)
    found = list(to_itself.filter(~has_parent(ALIAS_KEY, Mailbox)))
    others = [alias for alias in select_forwarding(rows) if alias.keeps_copy]
    owners = find_keys_of_mailboxes([alias.pk for alias in others])
    found += [alias for alias in others if fold(alias.pk) not in owners]
    found = [alias for alias in found if not alias.is_catch_all]
    local = find_local_domains(found)
    passed_on = find_rerouted(alias.pk for alias in found)
    text = _("It delivers to its own address, which is no mailbox.")
    wrong = {a.pk for a in found if fold(a.domain_id) in local and a.pk not in passed_on}
    for alias in rows.filter(pk__in=wrong) if wrong else ():
        yield build_problem(alias, text)


def find_local_domains(aliases: Sequence[Alias]) -> set[str]:
    """Return the folded names of those domains whose mail is delivered here."""
    local: set[str] = set()
    for part in chunks({alias.domain_id for alias in aliases}):
        rows = Domain.objects.filter(pk__in=part, backupmx=False)
        for name, transport in rows.values_list("pk", "transport"):
            if is_default_transport(transport):
                local.add(fold(name))
    return local


def find_malformed_targets(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases with a target that is no address."""
    for alias in rows.exclude(**TO_ITSELF):
        if errors := list(iter_target_errors(alias)):
            yield build_problem(alias, errors[0])


def iter_target_errors(alias: Alias) -> Iterator[str]:
    """Yield why targets cannot be delivered to, whatever exists."""
    for target in split_goto(alias.goto):
        if is_vacation_target(target):
            continue
        if target.startswith("@") and not alias.is_catch_all:
            yield _("Only a catch-all can forward to a whole domain.")
        try:
            clean_alias_target(target)
        except ValidationError as error:
            yield join_messages(error)


def find_caught_targets(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases with a target in their own domain that only its catch-all accepts."""
    aliases = [alias for alias in select_forwarding(rows) if not alias.is_catch_all]
    domains = find_caught_domains({alias.domain_id for alias in aliases})
    named = {
        alias.pk: [each for each in get_checked_targets(alias) if is_in_domain(each, alias)]
        for alias in aliases
        if fold(alias.domain_id) in domains
    }
    targets = sorted({target for own in named.values() for target in own})
    context = load_target_context(principal, targets)
    for alias in aliases:
        caught = [t for t in named.get(alias.pk, []) if is_only_caught(t, context)]
        if caught:
            text = _("Only the catch-all accepts mail to %(targets)s.")
            yield build_problem(alias, text % {"targets": join_names(caught)})


def is_in_domain(target: str, alias: Alias) -> bool:
    """Return whether a target is an address in the domain of its alias."""
    return not target.startswith("@") and target.endswith(f"@{fold(alias.domain_id)}")


def find_caught_domains(names: set[str]) -> set[str]:
    """Return the folded names of those domains that have an active catch-all."""
    found: set[str] = set()
    for part in chunks(sorted(names)):
        rows = Alias._base_manager.filter(pk__in=[f"@{name}" for name in part], active=True)
        found |= {fold(key[1:]) for key in rows.values_list("pk", flat=True)}
    return found


def is_only_caught(target: str, context: TargetContext) -> bool:
    """Return whether no mailbox or alias has an address, and a catch-all takes its mail."""
    keys = [key for key in iter_lookup_keys(target) if key in context.states]
    return bool(keys) and all(key.startswith("@") for key in keys) and context.states[keys[0]]


def find_alias_loops(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield a loop at the first of the aliases that form it."""
    aliases = select_chained(list(select_forwarding(rows)), HOPS)
    for alias in iter_suspects(aliases, NO_NEW_ALIASES):
        loop = find_loop(alias, NO_NEW_ALIASES)
        if loop and is_first_in_loop(alias, loop, principal):
            text = _("Alias loop: %(loop)s")
            yield build_problem(
                alias, text % {"loop": " → ".join(redact_loop(principal, alias, loop))}
            )


NO_NEW_ALIASES: Mapping[str, Alias] = {}


def is_first_in_loop(alias: Alias, loop: Sequence[str], principal: Any) -> bool:
    """Return whether an alias is the first that the principal sees of those in a loop."""
    addresses = {strip_wildcard_extension(address) for address in loop}
    keys = addresses | {"@" + address.rpartition("@")[2] for address in addresses}
    members = Alias.objects.visible_to(principal).filter(pk__in=keys, active=True)
    first = members.order_by("pk").values_list("pk", flat=True).first()
    return fold(first) == fold(alias.pk)


TARGET_CHECKS = (
    IntegrityCheck(
        "alias-loop",
        MAILBOXES,
        _("Alias loops"),
        _("Mail to these aliases is never delivered."),
        ALIAS_ROWS,
        find_alias_loops,
        decision=_("Remove a target of one of the aliases."),
    ),
    IntegrityCheck(
        "alias-target-missing",
        MAILBOXES,
        _("Targets that do not exist"),
        _("Mail to these targets bounces."),
        ALIAS_ROWS,
        find_missing_targets,
        decision=_("Correct or remove the target, or create the mailbox."),
    ),
    IntegrityCheck(
        "alias-mailbox-missing",
        MAILBOXES,
        _("Aliases that deliver to themselves without a mailbox"),
        _("Mail to them bounces; often they are left of a deleted mailbox."),
        ALIAS_ROWS,
        find_missing_own_mailboxes,
        decision=_("Delete the alias, enter other targets, or create the mailbox."),
    ),
    IntegrityCheck(
        "alias-target-malformed",
        MAILBOXES,
        _("Targets that are no addresses"),
        _("Postfix cannot deliver to them."),
        ALIAS_ROWS,
        find_malformed_targets,
        decision=_("Correct or remove the target."),
    ),
    IntegrityCheck(
        "alias-target-catch-all",
        MAILBOXES,
        _("Targets that only a catch-all accepts"),
        _("A misspelled target goes to the catch-all, and nobody notices."),
        ALIAS_ROWS,
        find_caught_targets,
        decision=_("Correct the target, or make the catch-all's target that of the alias."),
    ),
)
