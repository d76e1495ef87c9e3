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
from mailadmin.db.pagination import iter_pages
from mailadmin.db.retry import retry_on_deadlock
from mailboxes.models import Alias, AliasTarget, build_alias_targets
from mailboxes.models.goto import get_target_names

ALIAS_TARGETS = DerivedRows(AliasTarget, "alias", "goto", build_alias_targets)
ROWS = 10_000
CORRECTED_ROWS = 500  # in one transaction


def reindex_alias_targets() -> None:
    """Correct the entries of aliases that other programs have written.

    All aliases are compared: what such programs change may leave no log line and no date.
    """
    for keys in iter_outdated_aliases():
        for part in chunks(sorted(keys), CORRECTED_ROWS):
            retry_on_deadlock(functools.partial(reindex_aliases, part))


def iter_outdated_aliases() -> Iterator[list[str]]:
    """Yield the keys of aliases with other entries than they should have, page by page."""
    forwarding = Alias.objects.exclude(goto=F("address")).only("address", "goto", "domain")
    entries: QuerySet = AliasTarget.objects.all()
    for page in iter_pages(forwarding, ROWS):
        last = page[-1].pk
        yield find_outdated(page, entries.filter(LessThanOrEqual(F("alias"), last)))
        entries = AliasTarget.objects.filter(GreaterThan(F("alias"), last))
    yield find_outdated([], entries)


def find_outdated(aliases: Sequence[Alias], entries: QuerySet) -> list[str]:
    """Return the keys of these aliases with other entries, and those of entries of no alias."""
    stored: dict[str, set[tuple[str, str]]] = defaultdict(set)
    columns = ("alias_id", "domain_id", "name")
    for key, domain, name in entries.values_list(*columns).iterator(ROWS):
        stored[key].add((domain, name))
    outdated = []
    for alias in aliases:
        names = get_target_names(alias.pk, alias.goto)
        if {(alias.domain_id, name) for name in names} != stored.pop(alias.pk, set()):
            outdated.append(alias.pk)
    return outdated + list(stored)


def reindex_aliases(keys: list[str]) -> None:
    """Write the entries of these aliases anew, under the lock that services take as well."""
    with transaction.atomic():
        increment_versions(sorted({key.rpartition("@")[2] for key in keys}))
        ALIAS_TARGETS.delete(keys)
        ALIAS_TARGETS.insert(Alias.objects.filter(pk__in=keys).only("address", "goto", "domain"))
