"""Sums of columns that other programs write too, which no stored number can overflow."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Expression, FloatField, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce, Least
from django.db.models.sql.compiler import SQLCompiler

MAX_SUM = 2**62  # fits a BIGINT, and a float represents it exactly


class OverflowSafeSum(Sum):
    """A sum that may exceed a BIGINT; SQLite adds integers only within that range."""

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        wide, (column, *others) = self.copy(), self.get_source_expressions()
        wide.set_source_expressions([Cast(column, FloatField()), *others])
        return super(OverflowSafeSum, wide).as_sql(compiler, connection, **context)


def bounded_sum(expression: str | Expression, filter: Q | None = None) -> Coalesce:
    """Return the sum, at most MAX_SUM; 0 where there are no rows."""
    total = OverflowSafeSum(expression, filter=filter, output_field=BigIntegerField())
    bounded = Least(total, Value(MAX_SUM), output_field=BigIntegerField())
    return Coalesce(Cast(bounded, BigIntegerField()), 0)
