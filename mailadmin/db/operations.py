"""Migration operations that look first: what a database already has is left as it is."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.db import DatabaseError, OperationalError, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import operations
from django.db.migrations.state import ProjectState

from mailadmin.db.fields import get_adopted_collation, get_column_collation
from mailadmin.db.indexes import LongIndex
from mailadmin.db.table_names import get_table_name

logger = logging.getLogger("mailadmin.operations")

KEY_TOO_LONG_CODE = 1071  # a MyISAM key has 1000 bytes: 333 characters of utf8
KEY_PREFIX_CODE = 1089  # a prefix is longer than its column
# No foreign key can reference this table or column; MySQL 8 has a number for each reason.
UNREFERENCEABLE_CODES = (1005, 1215, 1824, 6125)


class _MissingPartsMixin:
    """Create what a table lacks: the table itself, columns, indexes."""

    def create_missing_parts(
        self,
        schema_editor: BaseDatabaseSchemaEditor,
        model: type[models.Model],
        fills: Mapping[str, str],
    ) -> None:
        if model._meta.db_table not in get_table_names(schema_editor):
            with session_defaults(schema_editor):
                schema_editor.create_model(model)
            return
        present = get_column_names(schema_editor, model)
        for field in model._meta.local_concrete_fields:
            if str(field.column).lower() not in present:
                with session_defaults(schema_editor):
                    add_column(schema_editor, model, field, fills.get(field.name))
        for names, sql in iter_expected_indexes(schema_editor, model):
            if not has_index(schema_editor, model, names):
                schema_editor.execute(sql)


class CreateMissingTable(_MissingPartsMixin, operations.CreateModel):
    """Create the table or what it lacks; `fills` has SQL that fills columns just added."""

    def __init__(
        self,
        name: str,
        fields: list[tuple[str, models.Field]],
        options: dict[str, Any] | None = None,
        bases: Any = None,
        managers: Any = None,
        fills: dict[str, str] | None = None,
    ) -> None:
        self.fills = fills or {}
        super().__init__(name, fields, options, bases, managers)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        name, args, kwargs = super().deconstruct()
        if self.fills:
            kwargs["fills"] = self.fills
        return name, args, kwargs

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            self.create_missing_parts(schema_editor, model, self.fills)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Do nothing: an adopted table is not ours to drop."""


class AddMissingColumn(_MissingPartsMixin, operations.AddField):
    """Add a column unless the table has it."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            self.create_missing_parts(schema_editor, model, {})

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Do nothing: an adopted column is not ours to drop."""


class RemoveOwnColumn(operations.RemoveField):
    """Drop a column of a table that only the panel uses, if it still exists."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if not model._meta.db_table.startswith("mailadmin_"):
            raise ValueError(
                f"{model._meta.db_table} does not belong to the panel and cannot be changed"
            )
        if model._meta.get_field(self.name).column in get_column_names(schema_editor, model):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddMissingIndex(_MissingPartsMixin, operations.AddIndex):
    """Add an index that speeds up pages; a table that cannot hold it goes without."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        try:
            self.create_missing_parts(schema_editor, model, {})
        except OperationalError as error:
            if error.args[0] not in (KEY_TOO_LONG_CODE, KEY_PREFIX_CODE):
                raise
            logger.warning("cannot create index %s: %s", self.index.name, error.args[1])

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Do nothing: the index may have existed before."""


def get_table_names(schema_editor: BaseDatabaseSchemaEditor) -> list[str]:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def get_column_names(
    schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]
) -> set[str]:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return {column.name.lower() for column in description}


def add_column(
    schema_editor: BaseDatabaseSchemaEditor,
    model: type[models.Model],
    field: models.Field,
    fill: str | None,
) -> None:
    """Add a column with a value for the rows that exist, then run the SQL that fills it."""
    blank, field.blank = field.blank, True
    later = list(schema_editor.deferred_sql)
    schema_editor.add_field(model, field)
    schema_editor.deferred_sql = later  # its index is created with the missing ones
    field.blank = blank
    if fill:
        schema_editor.execute(fill, params=None)


def iter_expected_indexes(
    schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]
) -> Iterator[tuple[list[str], Any]]:
    """Yield (first columns, SQL that creates it) of each index of the model."""
    for field in model._meta.local_concrete_fields:
        for sql in schema_editor._field_indexes_sql(model, field):  # type: ignore[attr-defined]
            yield [str(field.column)], sql
    for index in model._meta.indexes:
        if isinstance(index, LongIndex) and not holds_long_indexes(schema_editor, model):
            continue
        fields = (model._meta.get_field(name) for name, _order in index.fields_orders)
        names = [str(field.column) for field in fields if isinstance(field, models.Field)]
        yield names, index.create_sql(model, schema_editor)


def has_index(
    schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model], names: list[str]
) -> bool:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return any(
        constraint["index"] and constraint["columns"][: len(names)] == names
        for constraint in constraints.values()
    )


def holds_long_indexes(schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]) -> bool:
    """Return whether a `LongIndex` of the table fits, and still fits when its columns are UTF-8."""
    connection = schema_editor.connection
    if connection.vendor != "mysql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT engine, row_format FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_name = %s",
            [model._meta.db_table],
        )
        return cursor.fetchone() == ("InnoDB", "Dynamic")


def create_long_indexes(connection: BaseDatabaseWrapper) -> None:
    """Create each `LongIndex` that a table could not hold before it was converted."""
    if connection.vendor != "mysql":
        return
    with connection.schema_editor() as schema_editor:
        present = get_table_names(schema_editor)
        for model in apps.get_models():
            has_long = any(isinstance(index, LongIndex) for index in model._meta.indexes)
            if has_long and model._meta.db_table in present:
                for names, sql in iter_expected_indexes(schema_editor, model):
                    if not has_index(schema_editor, model, names):
                        schema_editor.execute(sql)


class session_defaults:  # noqa: N801 (reads as a function)
    """Create tables as InnoDB, and let zero dates pass an ALTER TABLE, within a block."""

    def __init__(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        self.connection = schema_editor.connection

    def __enter__(self) -> None:
        if self.connection.vendor == "mysql":
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SET @mailadmin_mode = @@sql_mode, @mailadmin_engine = @@default_storage_engine"
                )
                cursor.execute(
                    "SET sql_mode = 'STRICT_TRANS_TABLES', default_storage_engine = InnoDB"
                )

    def __exit__(self, *exception: BaseException | None) -> None:
        if self.connection.vendor == "mysql":
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SET sql_mode = @mailadmin_mode, default_storage_engine = @mailadmin_engine"
                )


UPGRADE_CONSTRAINT = "vacation_notification_pkey"  # PostfixAdmin's upgrade drops it


def prepare_postfixadmin_upgrade(connection: BaseDatabaseWrapper) -> None:
    """Let PostfixAdmin's upgrade run on a database that has no schema version.

    The upgrade creates `vacation_notification` only if it is missing, and later drops a constraint
    of it by name. The constraint added here has that name and constrains nothing, since its column
    is never filled. The real one, on `vacation`, would stop an earlier step that changes that
    table; if it exists, it stays.
    """
    if (
        connection.vendor != "mysql"
        or has_schema_version(connection)
        or has_upgrade_constraint(connection)
    ):
        return
    config, notifications = get_table_name("config"), get_table_name("vacation_notification")
    collation = get_column_collation(connection, config, "name") or get_adopted_collation(
        connection
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"ALTER TABLE {notifications} ADD unused varchar(20) COLLATE {collation},"
                f" ADD CONSTRAINT {UPGRADE_CONSTRAINT} FOREIGN KEY (unused)"
                f" REFERENCES {config} (name)"
            )
    except DatabaseError as error:
        if error.args[0] not in UNREFERENCEABLE_CODES:
            raise
        logger.warning(
            "PostfixAdmin's upgrade may stop at %s: %s", UPGRADE_CONSTRAINT, error.args[1]
        )


def has_schema_version(connection: BaseDatabaseWrapper) -> bool:
    """Return whether PostfixAdmin has stored how far its upgrade has come."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {get_table_name('config')} WHERE name = 'version'")  # noqa: S608
        return bool(cursor.fetchone())


def has_upgrade_constraint(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the name is taken: in a database each exists once, for any table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.table_constraints"
            " WHERE constraint_schema = DATABASE() AND constraint_name = %s",
            [UPGRADE_CONSTRAINT],
        )
        return bool(cursor.fetchone())
