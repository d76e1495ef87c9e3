"""The index of aliases that belong to no mailbox."""

from collections.abc import Sequence

from mailadmin.db.bulk import chunks
from mailadmin.db.pagination import iter_pages
from mailboxes.models import Alias, Mailbox, StandaloneAlias

ROWS = 10_000


def index_standalone_aliases(aliases: Sequence[Alias]) -> None:
    """Add these aliases to the index; an entry may be left of a deleted alias of the same name."""
    rows = [StandaloneAlias(alias_id=alias.pk, domain_id=alias.domain_id) for alias in aliases]
    StandaloneAlias.objects.bulk_create(rows, ignore_conflicts=True)


def reindex_standalone_aliases() -> None:
    """Add what the index lacks, and remove what no longer belongs there."""
    missing = Alias.objects.without_mailbox().exclude(pk__in=StandaloneAlias.objects.values("pk"))
    for part in iter_pages(missing.only("domain"), ROWS):
        index_standalone_aliases(part)
    for gone in (
        StandaloneAlias.objects.exclude(pk__in=Alias.objects.values("pk")),
        StandaloneAlias.objects.filter(pk__in=Mailbox.objects.values("pk")),
    ):
        for part in chunks(gone.values_list("pk", flat=True)):
            StandaloneAlias.objects.filter(pk__in=part).delete()
