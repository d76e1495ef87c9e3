"""Migration operations that look first: what a database already has is left as it is."""

import logging
from typing import Any

from django.db import DatabaseError, OperationalError, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import operations

from mailadmin.db.fields import get_adopted_collation, get_column_collation
from mailadmin.db.models import get_table_name

logger = logging.getLogger("mailadmin.operations")

KEY_TOO_LONG_CODE = 1071  # of a key: MyISAM's thousand bytes are 333 letters of utf8
# A table or column that no foreign key can name; MySQL 8 has a number for each reason.
UNREFERENCEABLE_CODES = (1005, 1215, 1824, 6125)


class _MissingPartsMixin:
    """Fills what is missing of a table: the table, columns, indexes."""

    def complete(
        self, schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model], fills
    ) -> None:
        if model._meta.db_table not in get_table_names(schema_editor):
            with session_defaults(schema_editor):
                schema_editor.create_model(model)
            return
        present = get_column_names(schema_editor, model)
        for column in model._meta.local_concrete_fields:
            if column.column.lower() not in present:
                with session_defaults(schema_editor):
                    add_column(schema_editor, model, column, fills.get(column.name))
        for columns_wanted, create in iter_expected_indexes(schema_editor, model):
            if not has_index(schema_editor, model, columns_wanted):
                schema_editor.execute(create)


class CreateMissingTable(_MissingPartsMixin, operations.CreateModel):
    """Create the table, or what it lacks. `fills` is the SQL that fills a column just added."""

    def __init__(
        self, name: str, fields, options: Any = None, bases=None, managers=None, fills=None
    ) -> None:
        self.fills = fills or {}
        super().__init__(name, fields, options, bases, managers)

    def deconstruct(self):
        name, args, kwargs = super().deconstruct()
        if self.fills:
            kwargs["fills"] = self.fills
        return name, args, kwargs

    def database_forwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        model = to_state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            self.complete(schema_editor, model, self.fills)

    def database_backwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        """An adopted table is not ours to drop."""


class AddMissingColumn(_MissingPartsMixin, operations.AddField):
    def database_forwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            self.complete(schema_editor, model, {})

    def database_backwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        """An adopted column is not ours to drop."""


class RemoveOwnColumn(operations.RemoveField):
    """Drop a column of a table that is the panel's alone, if it is there still."""

    def database_forwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if not model._meta.db_table.startswith("mailadmin_"):
            raise ValueError(f"{model._meta.db_table} is not the panel's to change")
        if model._meta.get_field(self.name).column in get_column_names(schema_editor, model):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddMissingIndex(_MissingPartsMixin, operations.AddIndex):
    """An index that pages of much are read by; a table that cannot hold it goes without."""

    def database_forwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        try:
            self.complete(schema_editor, model, {})
        except OperationalError as error:
            if error.args[0] != KEY_TOO_LONG_CODE:
                raise
            logger.warning("no index %s: %s", self.index.name, error.args[1])

    def database_backwards(
        self, app_label, schema_editor: BaseDatabaseSchemaEditor, from_state, to_state
    ) -> None:
        """It may have been there before us."""


def get_table_names(schema_editor: BaseDatabaseSchemaEditor):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        return connection.introspection.table_names(cursor)


def get_column_names(schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return {column.name.lower() for column in description}


def add_column(
    schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model], column, fill
) -> None:
    """A column that others do not write must have something to stand in the rows that exist."""
    blank, column.blank = column.blank, True
    later = list(schema_editor.deferred_sql)
    schema_editor.add_field(model, column)
    schema_editor.deferred_sql = later  # its index is one of those looked for afterwards
    column.blank = blank
    if fill:
        schema_editor.execute(fill, params=None)


def iter_expected_indexes(schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]):
    """The indexes of the model, each with the columns it begins with and the SQL that makes it."""
    for column in model._meta.local_concrete_fields:
        for sql in schema_editor._field_indexes_sql(model, column):
            yield [column.column], sql
    for index in model._meta.indexes:
        names = [model._meta.get_field(name).column for name, _order in index.fields_orders]
        yield names, index.create_sql(model, schema_editor)


def has_index(schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model], names) -> bool:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return any(
        constraint["index"] and constraint["columns"][: len(names)] == names
        for constraint in constraints.values()
    )


class session_defaults:  # noqa: N801 (reads as a function)
    """While we make tables: InnoDB, and PostfixAdmin's zero dates do not stop an ALTER TABLE."""

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


UPGRADE_CONSTRAINT = "vacation_notification_pkey"  # which PostfixAdmin's upgrade drops


def prepare_postfixadmin_upgrade(connection) -> None:
    """Let PostfixAdmin's upgrade run on a database that is older than its numbers.

    It makes `vacation_notification` only where that is missing, and later drops a constraint of it
    by name. Ours bears the name and binds nothing, since the column is never filled. With the real
    one, on `vacation`, an earlier step could not change that table; but one that is there stays.
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


def has_schema_version(connection) -> bool:
    """Return whether PostfixAdmin has noted how far its upgrade has come."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {get_table_name('config')} WHERE name = 'version'")  # noqa: S608
        return bool(cursor.fetchone())


def has_upgrade_constraint(connection) -> bool:
    """Return whether the name is taken: a database has each only once, whatever its table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.table_constraints"
            " WHERE constraint_schema = DATABASE() AND constraint_name = %s",
            [UPGRADE_CONSTRAINT],
        )
        return bool(cursor.fetchone())
