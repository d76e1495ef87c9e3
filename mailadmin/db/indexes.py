"""Indexes that Django does not have."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class PrefixIndex(models.Index):
    """An index of the start of a text column, as MySQL indexes no whole TEXT."""

    def __init__(self, *, field: str, length: int, name: str) -> None:
        super().__init__(fields=[field], name=name)
        self.field, self.length = field, length

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, _arguments, _options = super().deconstruct()
        return path, (), {"field": self.field, "length": self.length, "name": self.name}

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **options: Any,
    ) -> Any:
        if schema_editor.connection.vendor != "mysql":
            return super().create_sql(model, schema_editor, using, **options)
        return schema_editor._create_index_sql(  # type: ignore[attr-defined]  # as `Index` does
            model,
            fields=[model._meta.get_field(self.field)],
            name=self.name,
            using=using,
            col_suffixes=[f"({self.length})"],
        )


class LongIndex(models.Index):
    """An index of whole long texts, which a table of MyISAM or an old one of InnoDB may not hold.

    It may hold it in latin1 and not in UTF-8: then PostfixAdmin's upgrade, which changes columns
    to that, would stop. So only tables of InnoDB with dynamic rows get it.
    """
