"""Queries of domains that are compiled once."""

from domains.models import Domain
from mailadmin.db.compiled import CompiledQuery

DOMAINS = CompiledQuery(lambda name: Domain.objects.filter(pk=name))


def find_domain(name: str) -> Domain | None:
    """Return the domain of this name, whoever asks; None if it does not exist."""
    domain: Domain | None = DOMAINS.first(name=name)
    return domain
