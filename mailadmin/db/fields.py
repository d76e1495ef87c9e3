"""Columns as PostfixAdmin made them: latin1 names, dates of whole seconds, no constraints."""

import functools
import re
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import lookups
from django.db.models.fields import related_lookups
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mailadmin.address_lists import parse_address_list
from mailadmin.names import (
    validate_address,
    validate_domain,
)

COLLATIONS = {"latin1": "latin1_general_ci", "utf8mb4": "utf8mb4_general_ci"}
CODECS = {"latin1": "cp1252", "ascii": "ascii"}

# What a column can hold


class ColumnFacts(NamedTuple):
    charset: str | None = None
    kind: str = ""
    collation: str | None = None


@functools.cache
def load_column_facts(alias: str):
    """(table, column) → its facts as they are: adopted columns may be narrower than ours."""
    connection = connections[alias]
    if connection.vendor != "mysql":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, character_set_name, column_type, collation_name"
            " FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
        return {(table, column): ColumnFacts(*facts) for table, column, *facts in cursor}


def fits_column(field, value: Any, alias: str = "default") -> bool:
    """Whether the column of this field takes the value, compares with it, and gives it back."""
    return find_column_error(field, value, alias) is None


def validate_column(field, value: Any) -> None:
    if text := find_column_error(field, value):
        raise ValidationError(text)


def find_column_error(field, value: Any, alias: str = "default"):
    """Why the column of this field cannot hold the value; None if it can."""
    place = field.model._meta.db_table, field.column
    charset, kind, _collation = load_column_facts(alias).get(place, ColumnFacts())
    if isinstance(value, int):
        if kind.startswith("int") and not -(2**31) <= value < 2**31:
            return _("This number is larger than this database's column can hold.")
    elif charset and not _can_encode(charset, value):
        return _("This database's column cannot hold some of these characters.")
    elif charset and not _fits_length(charset, kind, value):
        return _("This is longer than this database's column can hold.")
    return None


def _can_encode(charset, text: str) -> bool:
    if charset == "utf8mb4":
        return True
    if charset in ("utf8", "utf8mb3"):
        return all(ord(letter) < 0x10000 for letter in text)
    try:
        text.encode(CODECS.get(charset, "ascii"))
    except UnicodeEncodeError:
        return False
    return True


def _fits_length(charset, kind: str, text: str) -> bool:
    """`varchar` counts letters, `text` bytes."""
    if sized := re.fullmatch(r"varchar\((\d+)\)", kind):
        return len(text) <= int(sized[1])
    size = len(text.encode()) if charset.startswith("utf8") else len(text)
    return kind != "text" or size < 2**16


# Text


class _CollatedMixin:
    """Text whose collation is PostfixAdmin's on MySQL, and nothing special elsewhere."""

    charset = "utf8mb4"

    def __init__(self, *args: Any, secret=False, **kwargs: Any) -> None:
        self.secret = secret
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        if self.secret:
            kwargs["secret"] = True
        return name, path, args, kwargs

    def db_parameters(self, connection):
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = self._collation(connection)
        return parameters

    def _collation(self, connection):
        return COLLATIONS[self.charset]


class CharField(_CollatedMixin, models.CharField):
    pass


class TextField(_CollatedMixin, models.TextField):
    pass


class _Latin1Mixin(_CollatedMixin):
    """Text of mail names: it takes the collation that an adopted database gave its domains."""

    charset = "latin1"

    def _collation(self, connection):
        return get_adopted_collation(connection) or COLLATIONS["latin1"]


def get_adopted_collation(connection: BaseDatabaseWrapper) -> str | None:
    """Return the collation of domain names in this database, if it has such a table."""
    return get_column_collation(connection, settings.MAILADMIN_TABLE_PREFIX + "domain", "domain")


def get_column_collation(connection, table: str, column):
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
    """A name of the mail world, ASCII only: what is not ASCII is equal to none of its values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)


class DomainField(NameField):
    default_validators = [validate_domain]


class AddressField(NameField):
    default_validators = [validate_address]


class GotoField(Latin1TextField):
    """The targets of an alias, joined by commas."""

    def difference(self, old, new):
        old, new = split_goto(old), split_goto(new)
        return {
            "added": [target for target in new if target not in old],
            "removed": [target for target in old if target not in new],
        }


def split_goto(goto: str | None) -> list[str]:
    """Return the targets of an alias as Postfix reads them, without null addresses."""
    return [target for target in parse_address_list(goto or "") if target]


def join_goto(targets):
    return ",".join(dict.fromkeys(targets))


# Dates


class _SQLLiteral(models.Value):
    """A default that the database itself fills in, for those who write these tables without us."""

    sql = ""

    def __init__(self) -> None:
        super().__init__(self.sql)

    def as_sql(self, compiler, connection):
        return self.sql, []

    def resolve_expression(self, *args: Any, **kwargs: Any):
        return self


class UnknownDate(_SQLLiteral):
    sql = "'2000-01-01 00:00:00'"


class FarFutureDate(_SQLLiteral):
    sql = "'2038-01-18 00:00:00'"


class CurrentTime(_SQLLiteral):
    sql = "CURRENT_TIMESTAMP"


class DateTimeField(models.DateTimeField):
    """Whole seconds in the server's time; PostfixAdmin's zero dates read as None."""

    mysql_type = "datetime"

    def db_type(self, connection):
        return self.mysql_type if connection.vendor == "mysql" else super().db_type(connection)

    def get_prep_value(self, value: Any):
        value = super().get_prep_value(value)
        return value.replace(microsecond=0) if hasattr(value, "replace") else value


class TimestampField(DateTimeField):
    mysql_type = "timestamp"


def is_known_date(moment) -> bool:
    """False for both of PostfixAdmin's ways to say unknown: 0000-00-00 and 2000-01-01."""
    return moment is not None and timezone.localtime(moment).year > 2000


# Keys


class _UnconstrainedMixin:
    """A key that Django follows and cascades, and the database does not enforce."""

    def validate(self, value: Any, model_instance) -> None:
        """Existence is one question for many rows, asked by the service."""
        models.Field.validate(self, value, model_instance)


class MailKey(_UnconstrainedMixin, models.ForeignKey):
    pass


class OneMailKey(_UnconstrainedMixin, models.OneToOneField):
    pass


def mail_key(to, column, **options: Any):
    """A key on a column of PostfixAdmin's: a relation for Django, no constraint in the database."""
    options = {"on_delete": models.CASCADE, "db_constraint": False, "db_column": column} | options
    return (OneMailKey if options.get("primary_key") else MailKey)(to, **options)


# Lookups that MySQL would answer with error 1267


class _AsciiLookupMixin:
    def as_sql(self, compiler, connection):
        if isinstance(self.rhs, str) and not self.rhs.isascii():
            raise EmptyResultSet
        return super().as_sql(compiler, connection)


class _AsciiInLookupMixin:
    def get_prep_lookup(self):
        prepared = super().get_prep_lookup()
        if hasattr(self.rhs, "resolve_expression"):
            return prepared
        return [value for value in prepared if not isinstance(value, str) or value.isascii()]


def _register_ascii_lookups(field, mixin, *classes) -> None:
    for lookup in classes:

        class AsciiLookup(mixin, lookup):
            pass

        field.register_lookup(AsciiLookup)


_COMPARISONS = (
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
_register_ascii_lookups(NameField, _AsciiLookupMixin, *_COMPARISONS)
_register_ascii_lookups(NameField, _AsciiInLookupMixin, lookups.In)
for _key in (MailKey, OneMailKey):
    _register_ascii_lookups(
        _key,
        _AsciiLookupMixin,
        related_lookups.RelatedExact,
        related_lookups.RelatedGreaterThan,
        related_lookups.RelatedGreaterThanOrEqual,
        related_lookups.RelatedLessThan,
        related_lookups.RelatedLessThanOrEqual,
    )
    _register_ascii_lookups(_key, _AsciiInLookupMixin, related_lookups.RelatedIn)
