"""Queries of domains that are compiled once."""

from collections.abc import Collection

from domains.models import Domain
from mailadmin.db.bulk import chunks
from mailadmin.db.compiled import CompiledQuery
from mailadmin.names import fold

DOMAINS = CompiledQuery(lambda name: Domain.objects.filter(pk=name))


def find_domain(name: str) -> Domain | None:
    """Return the domain of this name, whoever asks; None if it does not exist."""
    domain: Domain | None = DOMAINS.first(name=name)
    return domain


def find_domains(names: Collection[str]) -> dict[str, Domain]:
    """Return folded name → domain of those of these domains that exist."""
    if len(names) == 1:
        found = [domain] if (domain := find_domain(*names)) else []
    else:
        found = [row for part in chunks(names) for row in Domain.objects.filter(pk__in=part)]
    return {fold(domain.pk): domain for domain in found}
