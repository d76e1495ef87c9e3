"""Fields for PostfixAdmin's columns: latin1 names, dates in whole seconds, no constraints."""

import datetime
from collections.abc import Sequence
from typing import Any, Self

from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone

from mailadmin.db.table_names import get_table_name
from mailadmin.names import (
    validate_address,
    validate_domain,
)

COLLATIONS = {"latin1": "latin1_general_ci", "utf8mb4": "utf8mb4_general_ci"}

# Text


class _CollatedMixin(models.Field):
    """Text with PostfixAdmin's collation on MySQL, and the default one elsewhere."""

    charset = "utf8mb4"

    def __init__(self, *args: Any, secret: bool = False, **kwargs: Any) -> None:
        self.secret = secret
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self.secret:
            kwargs["secret"] = True
        return name, path, args, kwargs

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = self._collation(connection)
        return parameters

    def _collation(self, connection: BaseDatabaseWrapper) -> str:
        return COLLATIONS[self.charset]


class CharField(_CollatedMixin, models.CharField):
    pass


class TextField(_CollatedMixin, models.TextField):
    pass


class _Latin1Mixin(_CollatedMixin):
    """Mail names as text; they have the collation of domain names in an adopted database."""

    charset = "latin1"

    def _collation(self, connection: BaseDatabaseWrapper) -> str:
        return get_adopted_collation(connection) or COLLATIONS["latin1"]


def get_adopted_collation(connection: BaseDatabaseWrapper) -> str | None:
    """Return the collation of domain names in this database, if it has such a table."""
    return get_column_collation(connection, get_table_name("domain"), "domain")


def get_column_collation(connection: BaseDatabaseWrapper, table: str, column: str) -> str | None:
    """Return the collation of a column; None if there is no such column."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT collation_name FROM information_schema.columns"
            " WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s",
            [table, column],
        )
        row = cursor.fetchone()
    return row and row[0]


class Latin1CharField(_Latin1Mixin, models.CharField):
    pass


class Latin1TextField(_Latin1Mixin, models.TextField):
    pass


class NameField(_Latin1Mixin, models.CharField):
    """A mail name, ASCII only: a comparison with other text finds nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)


class DomainField(NameField):
    default_validators = [validate_domain]


class AddressField(NameField):
    default_validators = [validate_address]


class ListTextField(Latin1TextField):
    """A text that holds a list: its changes are recorded and displayed item by item."""

    def split(self, text: str | None) -> list[str]:
        """Return the items of a text."""
        raise NotImplementedError

    def format_items(self, items: Sequence[str]) -> str:
        """Return items of the list for display."""
        return ", ".join(items)

    def format_text(self, text: str | None) -> str:
        """Return all items of a text for display."""
        return self.format_items(self.split(text))

    def difference(self, old: str, new: str) -> dict[str, list[str]]:
        """Return which items a change added and removed."""
        before, after = self.split(old), self.split(new)
        return {
            "added": [item for item in after if item not in before],
            "removed": [item for item in before if item not in after],
        }


# Dates


class _SQLLiteral(models.Value):
    """A default that the database fills in, for other programs that write the table."""

    sql = ""

    def __init__(self) -> None:
        super().__init__(self.sql)

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, tuple[Any, ...]]:
        return self.sql, ()

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Self:
        return self


class UnknownDate(_SQLLiteral):
    sql = "'2000-01-01 00:00:00'"


class FarFutureDate(_SQLLiteral):
    sql = "'2038-01-18 00:00:00'"


# Stored where something never ends, so that programs that only compare dates read it so
NO_END = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)


class CurrentTime(_SQLLiteral):
    sql = "CURRENT_TIMESTAMP"


class DateTimeField(models.DateTimeField):
    """Whole seconds in the server's time zone; PostfixAdmin's zero dates read as None."""

    mysql_type = "datetime"

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return self.mysql_type if connection.vendor == "mysql" else super().db_type(connection)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return value.replace(microsecond=0) if hasattr(value, "replace") else value


class TimestampField(DateTimeField):
    mysql_type = "timestamp"


def is_known_date(moment: datetime.datetime | None) -> bool:
    """Return False for PostfixAdmin's two unknown dates, 0000-00-00 and 2000-01-01."""
    return moment is not None and is_known_year(timezone.localtime(moment).year)


def is_end_date(moment: datetime.datetime | None) -> bool:
    """Return whether something ends on this date: unknown dates and that of `NO_END` say never."""
    return moment is not None and is_known_year(moment.year) and moment.year < NO_END.year


def as_stored(moment: datetime.datetime) -> datetime.datetime:
    """Return a moment as the database has it and compares it: whole seconds without a zone."""
    return timezone.make_naive(moment, connection.timezone).replace(microsecond=0, fold=0)


def is_older(moment: datetime.datetime | None, other: datetime.datetime | None) -> bool:
    """Tell whether the database takes a moment for an earlier one; an unknown one is the first."""
    return other is not None and (moment is None or as_stored(moment) < as_stored(other))


def is_known_year(year: int) -> bool:
    return year > 2000


# Keys


class _UnconstrainedMixin(models.Field):
    """A key that Django follows and cascades, and the database does not enforce."""

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        """Leave it to the services, which check for many rows at once whether the target exists."""
        models.Field.validate(self, value, model_instance)


class MailKey(_UnconstrainedMixin, models.ForeignKey):
    pass


class OneMailKey(_UnconstrainedMixin, models.OneToOneField):
    pass


def mail_key(to: str | type[models.Model], column: str, **options: Any) -> models.ForeignKey:
    """Return a key on a column of PostfixAdmin's: a relation for Django, without a constraint."""
    defaults: dict[str, Any] = {"on_delete": models.CASCADE, "db_constraint": False}
    key = OneMailKey if options.get("primary_key") else MailKey
    return key(to, **defaults | {"db_column": column} | options)


class DisplayedNumberMixin(models.Field):
    """A number whose class decides how pages format it; migrations name Django's own class."""

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, f"django.db.models.{self.get_internal_type()}", args, kwargs


class SizeField(DisplayedNumberMixin, models.BigIntegerField):
    """A number of bytes, which pages show as a size."""


class MegabytesField(DisplayedNumberMixin, models.BigIntegerField):
    """A number of MB, which pages show as a size."""


class LimitField(DisplayedNumberMixin, models.IntegerField):
    """A limit: 0 is unlimited."""
