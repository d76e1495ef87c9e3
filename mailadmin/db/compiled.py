"""Queries that every page runs, compiled once: to build one takes Django longer than to run it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, models


class CompiledQuery:
    """A query of whole rows, whose parameters are texts.

    `build` returns the queryset for some values. It is called once, with placeholders, so the
    statement must not depend on the values.
    """

    def __init__(self, build: Callable[..., models.QuerySet]) -> None:
        self.build = build

    def fetch(self, **values: str) -> list[Any]:
        """Return the rows for these values, with their annotations."""
        # ASCII-only lookups return no rows for other text: Django builds the empty query.
        if not all(value.isascii() for value in values.values()):
            return list(self.build(**values))
        sql, parameters, read_rows = self.statement
        given = {make_placeholder(name): value for name, value in values.items()}
        with connection.cursor() as cursor:
            cursor.execute(sql, [given.get(parameter, parameter) for parameter in parameters])
            return read_rows(cursor.fetchall())

    def first(self, **values: str) -> Any:
        """Return the first row, or None."""
        return next(iter(self.fetch(**values)), None)

    @functools.cached_property
    def statement(self) -> tuple[str, tuple[Any, ...], Callable[..., list[Any]]]:
        """Return the SQL, its parameters, and the function that makes instances of its rows."""
        names = inspect.signature(self.build).parameters
        queryset = self.build(**{name: make_placeholder(name) for name in names})
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        expressions = [column[0] for column in compiler.select]
        converters = compiler.get_converters(expressions)
        count = len(expressions) - len(compiler.annotation_col_map)
        fields = [expression.target.attname for expression in expressions[:count]]

        def read_rows(rows: Any) -> list[Any]:
            found = []
            for row in compiler.apply_converters(rows, converters):
                instance = queryset.model.from_db(DEFAULT_DB_ALIAS, fields, row[:count])
                for name, position in compiler.annotation_col_map.items():
                    setattr(instance, name, row[position])
                found.append(instance)
            return found

        return sql, parameters, read_rows


def make_placeholder(name: str) -> str:
    """Return a text that stands for a parameter and that no query contains."""
    return f"\0{name}"
