"""Lookups of mail names for which MySQL would raise error 1267: they find nothing instead."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import lookups
from django.db.models.fields import related_lookups
from django.db.models.sql.compiler import SQLCompiler

from mailadmin.db.fields import MailKey, NameField, OneMailKey

COMPARISONS = (
    lookups.Exact,
    lookups.IExact,
    lookups.GreaterThan,
    lookups.GreaterThanOrEqual,
    lookups.LessThan,
    lookups.LessThanOrEqual,
    lookups.Contains,
    lookups.IContains,
    lookups.StartsWith,
    lookups.IStartsWith,
    lookups.EndsWith,
    lookups.IEndsWith,
)


class AsciiLookupMixin(models.Lookup):
    """Find nothing by text that is not ASCII."""

    rhs: Any

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        if isinstance(self.rhs, str) and not self.rhs.isascii():
            raise EmptyResultSet
        return super().as_sql(compiler, connection)


class AsciiInLookupMixin(models.Lookup):
    """Leave out values that are not ASCII."""

    rhs: Any

    def get_prep_lookup(self) -> Any:
        prepared = super().get_prep_lookup()
        if hasattr(self.rhs, "resolve_expression"):
            return prepared
        return [value for value in prepared if not isinstance(value, str) or value.isascii()]


def register_for_ascii(
    field: type[models.Field], mixin: type, *classes: type[models.Lookup]
) -> None:
    for lookup in classes:

        class AsciiLookup(mixin, lookup):  # type: ignore[misc, valid-type]  # one for each
            pass

        field.register_lookup(AsciiLookup)


def register_ascii_lookups() -> None:
    """Replace the lookups of names and of keys to them."""
    register_for_ascii(NameField, AsciiLookupMixin, *COMPARISONS)
    register_for_ascii(NameField, AsciiInLookupMixin, lookups.In)
    for key in (MailKey, OneMailKey):
        register_for_ascii(
            key,
            AsciiLookupMixin,
            related_lookups.RelatedExact,
            related_lookups.RelatedGreaterThan,
            related_lookups.RelatedGreaterThanOrEqual,
            related_lookups.RelatedLessThan,
            related_lookups.RelatedLessThanOrEqual,
        )
        register_for_ascii(key, AsciiInLookupMixin, related_lookups.RelatedIn)
