"""Sums of columns that other programs write too: no number in a row can break them."""

from typing import Any

from django.db.models import BigIntegerField, Expression, FloatField, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce, Least

MAX_SUM = 2**62  # what a BIGINT holds and a float says exactly


class OverflowSafeSum(Sum):
    """A sum that may leave the range of a BIGINT; SQLite sums integers within it alone."""

    def as_sqlite(self, compiler, connection, **context: Any):
        wide, (column, *others) = self.copy(), self.get_source_expressions()
        wide.set_source_expressions([Cast(column, FloatField()), *others])
        return super(OverflowSafeSum, wide).as_sql(compiler, connection, **context)


def bounded_sum(expression: str | Expression, filter: Q | None = None) -> Coalesce:
    """The sum, at most LARGEST_SUM; 0 where there are no rows."""
    total = OverflowSafeSum(expression, filter=filter, output_field=BigIntegerField())
    bounded = Least(total, Value(MAX_SUM), output_field=BigIntegerField())
    return Coalesce(Cast(bounded, BigIntegerField()), 0)
