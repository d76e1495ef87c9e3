"""The base class of row types: how values are read, compared and passed to the services."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Model
from django.utils.functional import Promise, cached_property

from domains.services.locks import lock_domains
from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes, digest_values
from mailadmin.changes.records import serialize_value
from mailadmin.db.column_facts import find_column_error
from mailadmin.names import fold
from mailadmin.tables.forms import program_fields
from mailadmin.tables.table import Table
from mailadmin.translation import compose, join_texts, message_texts, ngettext
from mailadmin.translation import gettext_lazy as _
from mailboxes.transfer.row_types.custom_values import CustomValuesMixin
from mailboxes.transfer.row_types.fields import (
    UNKNOWN_DATE,
    ClearableLineField,
    NameListField,
    PostfixAdminDateTimeField,
    SecretField,
    serialize_datetime,
    table_columns,
)

MAX_LISTED_ERRORS = 10  # per row

RowValues = dict[str, Any]  # column → value
ModelRow = Any  # an instance of a row type's model
Difference = list[Any]  # [column, old, new], as plans store them


class CleanRow(NamedTuple):
    """The values of a row, and its password if it was given as plain text, not yet hashed."""

    values: RowValues
    raw_password: str = ""


def omit_keys(values: RowValues, *names: str) -> RowValues:
    return {name: value for name, value in values.items() if name not in names}


class RowType(CustomValuesMixin):
    """One type of row: the columns that a source may give, and the services that write it.

    `RowType(SomeTable)` is enough for a table of the panel: title, columns, their fields and the
    services are derived from it. A class of its own says what files have besides or otherwise.
    """

    panel_table: type[Table] | None = None
    name = ""  # `kind` of source entries and plan rows
    extra_columns: Mapping[str, forms.Field] = {}  # added to those of the table, or replacing them
    column_aliases: ClassVar[Mapping[str, str]] = {}  # other name that files use → column
    required_columns: tuple[str, ...] = ()  # of a new row
    import_only_columns: tuple[str, ...] = ()  # never exported, since they follow from others
    program_columns: tuple[str, ...] = ()  # they make another program run what they name
    limit_name = ""  # the domain limit that counts these rows
    has_quota = False

    def __init__(self, panel_table: type[Table] | None = None) -> None:
        if panel_table is not None:
            self.panel_table = panel_table
            self.name = panel_table.slug
            self.required_columns = tuple(find_required_columns(panel_table, self.columns))

    def get_panel_table(self) -> type[Table]:
        if self.panel_table is None:
            raise NotImplementedError
        return self.panel_table

    @property
    def model(self) -> type[Model]:
        return self.get_panel_table().model

    @property
    def table(self) -> str:
        """Return the name that files and pages use for all rows of this type."""
        return self.get_panel_table().slug

    @property
    def title(self) -> str | Promise:
        return self.model._meta.verbose_name_plural or self.table

    @cached_property
    def columns(self) -> dict[str, forms.Field]:
        """Return the field that reads the values of each column."""
        derived = table_columns(self.panel_table) if self.panel_table else {}
        extra = dict(self.extra_columns)
        key = {
            name: field for name, field in derived.items() if name == self.required_key_columns[0]
        }
        added = {name: field for name, field in extra.items() if name not in derived}
        return key | added | derived | extra

    @cached_property
    def domain_admin_columns(self) -> tuple[str, ...]:
        """Return the columns that the file of a domain admin may hold: those of the form."""
        table = self.panel_table
        if table is None or Role.ADMIN not in table.roles.get("import", Role(0)):
            return ()
        form_columns = (self.required_key_columns[0], *program_fields(table.form_class, "create"))
        open_columns = [name for name in self.columns if self.may_change(name, Role.ADMIN)]
        return tuple(name for name in open_columns if name in form_columns)

    @property
    def example(self) -> Mapping[str, str]:
        """Return the values of an example; empty if nobody types such rows."""
        table = self.panel_table
        values = table.example_values if table else {}
        return {name: str(value) for name, value in values.items() if name in self.columns}

    # From a source

    def clean(self, values: Mapping[str, Any]) -> CleanRow:
        """Return the values as services expect them.

        Raise ValidationError naming every invalid column.
        """
        cleaned, errors = {}, {}
        for name, value in values.items():
            name = self.column_aliases.get(name, name)
            try:
                if self.has_value(name, value):
                    cleaned[name] = self.clean_value(name, value)
            except ValidationError as error:
                errors[name] = message_texts(error)
        if errors:
            raise ValidationError(format_column_errors(errors))
        cleaned = self.clean_row(cleaned)
        return CleanRow(cleaned, cleaned.pop("raw_password", ""))

    def has_value(self, name: str, value: Any) -> bool:
        if name not in self.columns:
            raise ValidationError(_("Unknown column."))
        return value is not None and (
            value != "" or isinstance(self.columns[name], ClearableLineField)
        )

    def clean_value(self, name: str, value: Any) -> Any:
        if isinstance(value, (list, dict)) and not isinstance(self.columns[name], NameListField):
            raise ValidationError(_("This must be a single value."))
        value = self.columns[name].clean(value)
        model_field = self.get_model_field(name)
        error = model_field and isinstance(value, str) and find_column_error(model_field, value)
        if error:
            raise ValidationError(error)
        return value

    def get_model_field(self, name: str) -> models.Field | None:
        """Return the model field that stores this column unchanged, None if there is none."""
        return self.model_fields.get(name)

    @cached_property
    def model_fields(self) -> dict[str, models.Field]:
        return {f.name: f for f in self.model._meta.concrete_fields}

    def clean_row(self, values: RowValues) -> RowValues:
        """Derive values from others, and refuse combinations that are invalid."""
        return values

    def clean_password(self, values: RowValues) -> RowValues:
        """Keep a hash as `password`, a plain password that has to be hashed as `raw_password`."""
        if "password" in values:
            self.validate_password(values["password"], self.get_password_address(values))
            values["raw_password"] = values.pop("password")
        if "password_hash" in values:
            values["password"] = values.pop("password_hash")
        if len({"raw_password", "password"} & set(values)) == 2:
            raise ValidationError(_("Enter a password or a password hash, not both."))
        return values

    def get_password_address(self, values: RowValues) -> str:
        """Return whose password it is."""
        return str(values.get(self.model._meta.pk.name) or "")

    def validate_password(self, password: str, address: str) -> None:
        if passwords.is_hash_like(password):
            text = _("password: This is a password hash. Use the column password_hash for hashes.")
            raise ValidationError(text)
        try:
            passwords.validate_password(password, address)
        except ValidationError as error:
            raise ValidationError(
                format_column_errors({"password": message_texts(error)})
            ) from error

    def check_required_columns(self, values: RowValues, columns: Iterable[str]) -> None:
        """Raise ValidationError if one of the columns has no value."""
        if missing := [name for name in columns if values.get(name) in (None, "")]:
            text = _("Missing columns: %(names)s.")
            raise ValidationError(text, params={"names": ", ".join(missing)})

    def check_key_columns(self, values: RowValues) -> None:
        """Raise ValidationError unless the values name a row."""
        self.check_required_columns(values, self.required_key_columns)

    @property
    def required_key_columns(self) -> tuple[str, ...]:
        return (self.primary_key,)

    def counts_against_limit(self, values: RowValues) -> bool:
        """Tell whether a new row counts against the limit of its domain."""
        return bool(self.limit_name)

    def is_created_implicitly(self, values: RowValues) -> bool:
        """Tell whether creating another row creates this one as well."""
        return False

    @cached_property
    def primary_key(self) -> str:
        return self.model._meta.pk.name

    def key(self, values: RowValues) -> str:
        return values[self.primary_key]

    def values_from_key(self, key: str) -> RowValues:
        """Return the key columns of the row with this key."""
        return {self.required_key_columns[0]: key}

    def folded_key(self, values: RowValues) -> str:
        return fold(self.key(values))

    def get_domain(self, values: RowValues) -> str | None:
        """Return the name of the domain that the row belongs to, None if it belongs to none."""
        return values.get("domain")

    def to_file_values(self, values: RowValues) -> RowValues:
        """Return the values as files hold them; importing them gives the same row."""
        if "password" in values and "password_hash" in self.columns:
            values = omit_keys(values, "password") | {"password_hash": values["password"]}
        values = values | {
            name: UNKNOWN_DATE for name in values if self.is_unknown_date(name, values[name])
        }
        return values | self.find_cleared(values)

    def is_unknown_date(self, name: str, value: Any) -> bool:
        return value is None and isinstance(self.columns.get(name), PostfixAdminDateTimeField)

    @property
    def export_columns(self) -> list[str]:
        """Return the columns of exported files."""
        return [name for name in self.columns if name not in self.import_only_columns]

    def referenced_domains(self, values: RowValues) -> list[str]:
        """Return the names of the domains that must exist for this row."""
        return [name for name in [self.get_domain(values)] if name]

    # Existing rows

    def find_existing_rows(self, keys: list[str]) -> dict[str, ModelRow]:
        """Return the rows with these keys, by folded key."""
        rows = self.model._default_manager.filter(pk__in=keys)
        return {fold(row.pk): row for row in self.prefetch_rows(rows)}

    def prefetch_rows(self, rows: Iterable[ModelRow]) -> Iterable[ModelRow]:
        """Load what `values_from_row` needs from other tables, with one query for all rows."""
        return rows

    def values_from_row(self, row: ModelRow) -> RowValues:
        """Return the values of a row as a plan stores them."""
        values = {
            name: self.value_from_row(row, name)
            for name in self.columns
            if self.get_model_field(name)
        }
        key = self.primary_key
        return values | ({key: fold(values[key])} if key in values else {})

    def value_from_row(self, row: ModelRow, name: str) -> Any:
        value = row._meta.get_field(name).value_from_object(row)
        if isinstance(value, datetime.datetime) and name not in self.custom_columns:
            return serialize_datetime(value)
        return serialize_value(value)

    def digest(self, row: ModelRow) -> str:
        return digest_values(self.values_from_row(row))

    def previous_values(self, row: ModelRow, columns: Iterable[str]) -> RowValues:
        """Return what the row has in these columns, from which it can be restored."""
        current = self.values_from_row(row)
        return {name: current[name] for name in columns}

    def find_differences(self, row: ModelRow, values: RowValues) -> list[Difference]:
        """Return [column, old, new] for each value that changes; both are empty for secrets."""
        current = self.values_from_row(row)
        return [
            [name, *(("", "") if self.is_secret(name) else (current[name], value))]
            for name, value in values.items()
            if name in current and current[name] != value
        ]

    def is_secret(self, name: str) -> bool:
        return isinstance(self.columns.get(name), SecretField)

    # Writing

    def lock(self, changes: Changes, rows: list[RowValues]) -> None:
        """Take the locks that the services will take, so that nothing changes in between."""
        lock_domains(changes, {name for values in rows if (name := self.get_domain(values))})

    def create(self, changes: Changes, rows: list[RowValues]) -> None:
        """Create rows with these values."""
        services = self.get_panel_table().services
        services.create(changes, [self.to_service_values(row) for row in rows])

    def edit(self, changes: Changes, key: str, values: RowValues) -> None:
        """Change the columns named in the values."""
        values = omit_keys(values, *self.required_key_columns)
        self.get_panel_table().services.edit(changes, key, self.to_service_values(values))

    def delete(self, changes: Changes, keys: list[str]) -> None:
        """Delete the rows with these keys."""
        self.get_panel_table().services.delete(changes, keys)

    def to_service_values(self, values: RowValues) -> RowValues:
        """Return the values as services take them: rows of other tables as instances."""
        values = self.to_column_values(values)
        related = {
            name: field.related_model(pk=values[name])
            for name, field in self.model_fields.items()
            if field.related_model and values.get(name)
        }
        return values | related

    def keys_with_dependents(self, keys: list[str]) -> set[str]:
        """Return the folded keys of rows that have others depending on them.

        Those would be deleted with them.
        """
        return set()


def format_column_errors(errors: Mapping[str, list[str]]) -> list[str]:
    """Format each error with its column, at most MAX_LISTED_ERRORS of them."""
    texts = [
        compose("%(name)s: %(text)s", name=str(name)[:64], text=join_texts(texts))
        for name, texts in errors.items()
    ]
    hidden_count = len(texts) - MAX_LISTED_ERRORS
    if hidden_count <= 0:
        return texts
    rest = ngettext("and %(n)s more", "and %(n)s more", hidden_count) % {"n": hidden_count}
    return [*texts[:MAX_LISTED_ERRORS], rest]


def find_required_columns(table: type[Table], columns: Iterable[str]) -> list[str]:
    """Return the columns without which the form of a new row is refused."""
    fields = program_fields(table.form_class, "create")
    return [name for name in columns if name in fields and fields[name].required]
