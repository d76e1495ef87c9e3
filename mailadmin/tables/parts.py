"""The parts in which the rows of a table are read, each in the order of an index."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from mailadmin.accounts.models import Role
from mailadmin.db.pagination import IndexedSearch, Part, Partition, can_union_slices
from mailadmin.names import try_normalize_domain

MAX_DOMAIN_QUERIES = 100  # up to so many domains, a page reads the rows domain by domain


class PartsMixin:
    """How a table's rows are split."""

    domain_lookup = "domain"
    is_split_by_domain = False  # an admin's rows are read faster domain by domain
    has_search_index = False  # of key and other search fields, and one of them in each domain

    def split(self, rows: QuerySet, filters: Mapping[str, str], principal: Any) -> list[Part]:
        """Return the rows in parts, each of which the database reads in order."""
        if "q" in filters:
            return self.split_search(rows, filters, principal)
        return [rows] if "domain" in filters else self.split_by_domain(rows, principal)

    def split_by_domain(self, rows: QuerySet, principal: Any) -> list[Part]:
        """Have an admin's rows read domain by domain, which an index has in order."""
        names = find_few_domains(principal) if self.is_split_by_domain else []
        return [Partition(rows, self.domain_lookup, names)] if len(names) > 1 else [rows]

    def split_search(
        self, rows: QuerySet, filters: Mapping[str, str], principal: Any
    ) -> list[Part]:
        """Return what a search finds, in parts: it reads many rows for few, even in one domain."""
        domain = try_normalize_domain(filters.get("domain", ""))
        names = [domain] if domain else find_few_domains(principal)
        if names and self.is_split_by_domain:
            return [Partition(rows, self.domain_lookup, names)]
        is_indexed = self.has_search_index and set(filters) == {"q"}
        return [IndexedSearch(rows)] if is_indexed else [rows]


def find_few_domains(principal: Any) -> list[str]:
    """Return the domains of an admin of few; none for others, and where parts are not faster."""
    if principal.role is not Role.ADMIN or not can_union_slices():
        return []
    names = principal.managed_domains()
    return names if isinstance(names, list) and len(names) <= MAX_DOMAIN_QUERIES else []
