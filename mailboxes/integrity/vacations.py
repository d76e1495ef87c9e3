"""Vacation replies and their targets in aliases."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from mailadmin.db.bulk import chunks
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.alias_rows import (
    ALIAS_ROWS,
    MAILBOXES,
    load_aliases,
    names_autoreply,
    plan_alias_edit,
)
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    PlannedChange,
    Problem,
    get_domain,
    in_domain_by,
)
from mailboxes.models import Alias, Vacation, is_vacation_target, vacation_target
from mailboxes.models.goto import join_goto, split_goto
from mailboxes.services.addresses import find_keys_of_mailboxes
from mailboxes.services.vacations import build_vacation_goto


def parse_vacation_target(target: str) -> str:
    """Return the address whose reply a target asks for: user#domain@autoreply…."""
    local_part, _sign, domain = target.rpartition("@")[0].rpartition("#")
    return f"{local_part}@{domain}".lower()


def find_left_targets(aliases: Sequence[Alias]) -> dict[str, list[str]]:
    """Return alias → its targets of replies that are not active, of addresses in its domain.

    Nobody learns from it about the replies of other domains.
    """
    named = {
        alias.pk: [target for target in split_goto(alias.goto) if is_own_reply(target, alias)]
        for alias in aliases
    }
    addresses = {parse_vacation_target(each) for targets in named.values() for each in targets}
    active = find_active(addresses)
    left = {
        key: [target for target in targets if parse_vacation_target(target) not in active]
        for key, targets in named.items()
    }
    return {key: targets for key, targets in left.items() if targets}


def is_own_reply(target: str, alias: Alias) -> bool:
    """Return whether a target asks for the reply of an address in the domain of its alias."""
    if not is_vacation_target(target):
        return False
    return get_domain(parse_vacation_target(target)) == fold(alias.domain_id)


def find_active(addresses: Iterable[str]) -> set[str]:
    """Return which of these addresses have an active vacation reply."""
    found: set[str] = set()
    for part in chunks(addresses):
        rows = Vacation._base_manager.filter(pk__in=part, active=True)
        found |= {fold(key) for key in rows.values_list("pk", flat=True)}
    return found


def find_targets_left(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases that pass mail to the autoresponder for no active reply."""
    aliases = list(rows.filter(names_autoreply()))
    left = find_left_targets(aliases)
    without_other = [alias.pk for alias in aliases if not alias.targets]
    owners = find_keys_of_mailboxes(without_other)
    for alias in aliases:
        if alias.pk in left and (alias.targets or fold(alias.pk) in owners):
            text = _("Target of a vacation reply that is not active: %(target)s")
            values = {"target": ", ".join(left[alias.pk])}
            yield Problem(alias.pk, text % values, alias.domain_id, key_url("alias", alias.pk))


def plan_without_left_targets(rows: QuerySet) -> list[PlannedChange]:
    """Plan to remove the targets; a mailbox without another one stores its mail."""
    aliases = list(rows)
    left = find_left_targets(aliases)
    planned = []
    for alias in aliases:
        targets = [each for each in split_goto(alias.goto) if each not in left.get(alias.pk, [])]
        planned.append(plan_alias_edit(alias, goto=join_goto(targets) or alias.pk))
    return planned


def find_targets_missing(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the active replies of mailboxes whose alias does not name the autoresponder."""
    if not settings.MAILADMIN_VACATION:
        return
    active = list(rows.values_list("mailbox_id", "domain_id"))
    aliases = {fold(alias.pk): alias for alias in load_aliases(key for key, _domain in active)}
    unanswered = [pair for pair in active if lacks_vacation_target(aliases.get(fold(pair[0])))]
    owners = find_keys_of_mailboxes([key for key, _domain in unanswered])
    text = _("The alias of the mailbox does not name the autoresponder.")
    for key, domain in unanswered:
        if fold(key) in owners:
            yield Problem(key, text, domain, key_url("mailbox-vacation", key))


def lacks_vacation_target(alias: Alias | None) -> bool:
    """Return whether an alias that exists does not name the autoresponder for itself."""
    if alias is None:
        return False
    targets = [target.lower() for target in split_goto(alias.goto)]
    return fold(vacation_target(alias.pk)) not in targets


def plan_vacation_targets(rows: QuerySet) -> list[PlannedChange]:
    """Plan to add the targets, where PostfixAdmin has them."""
    keys = rows.values_list("mailbox_id", flat=True)
    return [
        plan_alias_edit(alias, goto=build_vacation_goto(alias, alias.pk, True))
        for alias in load_aliases(keys)
    ]


VACATION_CHECKS = (
    IntegrityCheck(
        "vacation-target-left",
        MAILBOXES,
        _("Targets of vacation replies that have ended"),
        _("The autoresponder gets mail that it does not answer."),
        ALIAS_ROWS,
        find_targets_left,
        plan_without_left_targets,
        _("Remove the targets; a mailbox that has no other one keeps its mail."),
    ),
    IntegrityCheck(
        "vacation-target-missing",
        MAILBOXES,
        _("Vacation replies that are not sent"),
        _("The owner sees an active reply, and nobody gets it."),
        [CheckedRows(Vacation, "mailbox_id", in_domain_by("domain"), Q(active=True), 2000)],
        find_targets_missing,
        plan_vacation_targets,
        _("Add the target of the reply to the alias."),
    ),
)
