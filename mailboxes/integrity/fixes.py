"""Plan what fixes problems, show it, and do exactly that."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from domains.models import ALL_DOMAINS
from domains.services.locks import lock_domains
from mailadmin.changes.models import Change
from mailadmin.changes.perform import Changes, digest_values
from mailadmin.db.bulk import chunks
from mailadmin.tables.cascade import related_querysets
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.catalog import CHECKS
from mailboxes.integrity.checks import IntegrityCheck, PlannedChange
from mailboxes.integrity.scanning import Located, Scope, find_again, select_rows
from mailboxes.integrity.spelling import rename_references
from mailboxes.models import Alias
from mailboxes.services import cached_stats

MAX_FIXED = 500  # problems that one transaction fixes
CHANGED_MESSAGE = _("The rows have changed in the meantime. Review the changes again.")


def plan_fix(check: IntegrityCheck, scope: Scope, found: Sequence[Located]) -> list[PlannedChange]:
    """Return what is changed to fix these problems."""
    if check.plan is None:
        return []
    plan = [change for rows in select_rows(check, scope, found) for change in check.plan(rows)]
    return [*plan, *iter_dependents(plan)]


def iter_dependents(plan: Sequence[PlannedChange]) -> Iterator[PlannedChange]:
    """Yield the users' rows that are deleted with the deleted ones."""
    for (verb, model), group in group_changes(plan).items():
        for part in chunks(change.row.pk for change in group if verb == "delete"):
            for rows in related_querysets(model, part):
                yield from (PlannedChange("delete", row) for row in rows)


def digest_plan(plan: Iterable[PlannedChange]) -> str:
    """Return a digest of the changes, by which what was shown is recognised."""
    return digest_values([describe_record(change.build_record()) for change in plan])


def describe_record(record: Change) -> list[Any]:
    return [record.verb, record.table, record.key, record.values]


def fix_problems(changes: Changes, name: str, ids: Sequence[str], digest: str) -> set[str]:
    """Fix problems of a check; refuse if other changes than those shown would do that.

    Return the ids of those that were fixed: a name that no key can have cannot be deleted by it.
    """
    check, scope = CHECKS[name], Scope(changes.principal)
    named = {each.problem.domain for each in find_again(check, scope, ids)} - {""}
    lock_domains(changes, named or [ALL_DOMAINS])
    found = find_again(check, scope, ids)
    plan = plan_fix(check, scope, found)
    if digest_plan(plan) != digest:
        raise ValidationError(CHANGED_MESSAGE, code="changed")
    make_changes(changes, plan)
    left = {each.id for each in find_again(check, scope, ids)}
    return {each.id for each in found} - left


def make_changes(changes: Changes, plan: Sequence[PlannedChange]) -> None:
    """Make the planned changes, with their log lines."""
    for (verb, model), group in group_changes(plan).items():
        rows = [change.row for change in group]
        if verb == "create":
            changes.create(rows)
        elif verb == "edit":
            edit_rows(changes, model, group)
        else:
            changes.delete(rows)
    for line in dict.fromkeys((c.action, c.log_domain, c.log_key) for c in plan if c.action):
        changes.log(*line)
    aliases = [change.row for change in plan if isinstance(change.row, Alias)]
    if aliases:
        changes.run_at_end(cached_stats.refresh_undeliverable, aliases)


def edit_rows(changes: Changes, model: type[Model], group: Sequence[PlannedChange]) -> None:
    """Set columns of rows; if the key is one of them, other rows follow it."""
    column = model._meta.pk.attname
    renamed = [change.row.pk for change in group if column in change.values]
    changes.update_each((change.row, change.values) for change in group)
    if renamed:
        rename_references(model, renamed)


def group_changes(
    plan: Iterable[PlannedChange],
) -> dict[tuple[str, type[Model]], list[PlannedChange]]:
    """Return the changes by verb and model, in their order."""
    groups: dict[tuple[str, type[Model]], list[PlannedChange]] = defaultdict(list)
    for change in plan:
        groups[change.verb, type(change.row)].append(change)
    return groups
