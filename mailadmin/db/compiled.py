"""Queries that every page runs, compiled once: to build one takes Django longer than to run it."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.query import ModelIterable, ValuesListIterable
from django.db.models.sql.compiler import SQLCompiler

Value = str | Sequence[str]
ReadRows = Callable[[Iterable[Sequence[Any]]], list[Any]]
MAX_STATEMENTS = 100  # of one query: one for each length of its lists


class CompiledQuery:
    """A query of whole rows or of values, whose parameters are texts and lists of texts.

    `build` returns the queryset for some values. It is called with placeholders, once for each
    length of a list, so the statement must not depend on the values.
    """

    def __init__(self, build: Callable[..., models.QuerySet]) -> None:
        self.build = build
        self.names = tuple(inspect.signature(build).parameters)
        self.statement = functools.lru_cache(MAX_STATEMENTS)(self.compile)

    def fetch(self, **values: Value) -> list[Any]:
        """Return the rows for these values, with their annotations."""
        given: dict[str, str] = {}
        for name, value in values.items():
            given.update(name_texts(name, value))
        # ASCII-only lookups return no rows for other text: Django builds the empty query.
        if not all(map(str.isascii, given.values())) or not all(values.values()):
            return list(self.build(**values))
        lengths = tuple(count_texts(values[name]) for name in self.names)
        sql, parameters, read_rows = self.statement(lengths)
        with connection.cursor() as cursor:
            cursor.execute(sql, fill_placeholders(parameters, given))
            return read_rows(cursor.fetchall())

    def first(self, **values: Value) -> Any:
        """Return the first row, or None."""
        return next(iter(self.fetch(**values)), None)

    def compile(self, lengths: tuple[int | None, ...]) -> tuple[str, tuple[Any, ...], ReadRows]:
        """Return the SQL for lists of these lengths, its parameters, and what reads its rows."""
        placeholders = {
            name: make_placeholder(name)
            if length is None
            else [make_placeholder(name, position) for position in range(length)]
            for name, length in zip(self.names, lengths, strict=True)
        }
        queryset = self.build(**placeholders)
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, parameters = compiler.as_sql()
        reader = READERS[queryset._iterable_class]
        return sql, parameters, reader(queryset.model, compiler)


def value_reader(model: type[models.Model], compiler: SQLCompiler) -> ReadRows:
    """Return the function that reads the values of a queryset's `values_list`."""
    converters = compiler.get_converters([column[0] for column in compiler.select])

    def read_rows(rows: Iterable[Sequence[Any]]) -> list[Any]:
        return [tuple(row) for row in compiler.apply_converters(rows, converters)]

    return read_rows


def instance_reader(model: type[models.Model], compiler: SQLCompiler) -> ReadRows:
    """Return the function that reads rows as instances, with their annotations."""
    expressions = [column[0] for column in compiler.select]
    converters = compiler.get_converters(expressions)
    count = len(expressions) - len(compiler.annotation_col_map)
    fields = [expression.target.attname for expression in expressions[:count]]

    def read_rows(rows: Iterable[Sequence[Any]]) -> list[Any]:
        found = []
        for row in compiler.apply_converters(rows, converters):
            instance = model.from_db(DEFAULT_DB_ALIAS, fields, row[:count])
            for name, position in compiler.annotation_col_map.items():
                setattr(instance, name, row[position])
            found.append(instance)
        return found

    return read_rows


READERS: dict[Any, Callable[[type[models.Model], SQLCompiler], ReadRows]] = {
    ModelIterable: instance_reader,
    ValuesListIterable: value_reader,
}


def name_texts(name: str, value: Value) -> dict[str, str]:
    """Return placeholder → text of a parameter."""
    if isinstance(value, str):
        return {make_placeholder(name): value}
    return {make_placeholder(name, position): text for position, text in enumerate(value)}


def count_texts(value: Value) -> int | None:
    return None if isinstance(value, str) else len(value)


def make_placeholder(name: str, position: int = 0) -> str:
    """Return a text that stands for a parameter and that no query contains."""
    return f"\0{name} {position}"


def fill_placeholders(parameters: Iterable[Any], given: Mapping[str, Any]) -> list[Any]:
    """Return the parameters of a statement with the values that the placeholders stand for."""
    return [given.get(parameter, parameter) for parameter in parameters]
