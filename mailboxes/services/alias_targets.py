"""The index of the addresses and domains to which aliases point."""

import functools
from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from domains.services.locks import increment_versions
from mailadmin.changes.derived_rows import DerivedRows
from mailadmin.db.bulk import chunks
from mailadmin.db.retry import retry_on_deadlock
from mailboxes.models import Alias, AliasTarget, build_alias_targets
from mailboxes.models.goto import get_target_names

ALIAS_TARGETS = DerivedRows(AliasTarget, "alias", "goto", build_alias_targets)
ROWS = 10_000
CORRECTED_ROWS = 500  # in one transaction

ForwardingAlias = tuple[str, str, str]  # key, domain, targets


def reindex_alias_targets() -> None:
    """Correct the entries of aliases that other programs have written.

    All aliases are compared: what such programs change may leave no log line and no date.
    """
    for keys in iter_outdated_aliases():
        for part in chunks(sorted(keys), CORRECTED_ROWS):
            retry_on_deadlock(functools.partial(reindex_aliases, part))


def iter_outdated_aliases() -> Iterator[list[str]]:
    """Yield the keys of aliases with other entries than they should have, page by page."""
    entries = AliasTarget.objects.all()
    for page in iter_forwarding_pages():
        last = page[-1][0]
        yield find_outdated(page, entries.filter(LessThanOrEqual(F("alias"), last)))
        entries = AliasTarget.objects.filter(GreaterThan(F("alias"), last))
    yield find_outdated([], entries)


def iter_forwarding_pages() -> Iterator[list[ForwardingAlias]]:
    """Yield the aliases that do more than keep their mail; as tuples, since there may be many."""
    rows = Alias.objects.exclude(goto=F("address")).order_by("pk")
    columns = rows.values_list("pk", "domain_id", "goto")
    page = list(columns[:ROWS])
    while page:
        yield page
        page = list(columns.filter(GreaterThan(F("pk"), page[-1][0]))[:ROWS])


def find_outdated(aliases: Sequence[ForwardingAlias], entries: QuerySet) -> list[str]:
    """Return the keys of these aliases with other entries, and those of entries of no alias."""
    stored: dict[str, set[tuple[str, str]]] = defaultdict(set)
    columns = ("alias_id", "domain_id", "name")
    for key, domain, name in entries.values_list(*columns).iterator(ROWS):
        stored[key].add((domain, name))
    outdated = []
    for key, domain, goto in aliases:
        names = get_target_names(key, goto)
        if {(domain, name) for name in names} != stored.pop(key, set()):
            outdated.append(key)
    return outdated + list(stored)


def reindex_aliases(keys: list[str]) -> None:
    """Write the entries of these aliases anew, under the lock that services take as well."""
    with transaction.atomic():
        increment_versions(sorted({key.rpartition("@")[2] for key in keys}))
        ALIAS_TARGETS.delete(keys)
        ALIAS_TARGETS.insert(Alias.objects.filter(pk__in=keys).only("address", "goto", "domain"))
