"""The values of change records: old and new, and of secrets only that they changed."""

import datetime
import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, models
from django.utils import timezone

from mailadmin.accounts.models import is_scoped_model
from mailadmin.changes.models import Change, Log
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.db.column_facts import fits_column
from mailadmin.db.fields import ListTextField


@dataclass(slots=True)
class LogLine:
    """A line to write into `Log`, whose instances take ten times as long to make."""

    timestamp: datetime.datetime
    username: str
    domain_id: str
    action: str
    data: str


@dataclass(slots=True)
class ChangeRecord:
    """A record to write as a `Change`."""

    at: datetime.datetime
    actor: str
    batch: uuid.UUID
    verb: str
    table: str
    key: str
    domain: str
    values: Mapping[str, Any]
    row_key: Any = None  # the primary key, where that is not what people call the row


def created_values(row: models.Model) -> dict[str, Any]:
    """Return the values of a new row that differ from the defaults."""
    changed: dict[Any, Any] = {}
    for column, name, default, is_secret in recorded_columns(type(row)):
        value = getattr(row, name)
        if value != default:
            changed[column] = [] if is_secret else [None, serialize_value(value)]
    return changed


@functools.cache
def recorded_columns(model: type[models.Model]) -> list[tuple[str, str, Any, bool]]:
    """Return (column, attribute, default, is secret) except of the dates that every row has."""
    fields = [
        f
        for f in model._meta.concrete_fields
        if f.name not in ("created", "modified") and not isinstance(f, models.AutoField)
    ]
    return [(str(f.column), f.attname, get_field_default(f), is_secret(f)) for f in fields]


def changed_values(row: models.Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return column → (old, new) of the values that a row does not have yet."""
    changed: dict[Any, Any] = {}
    for name, value in values.items():
        field: Any = row._meta.get_field(name)
        old, new = field.value_from_object(row), getattr(value, "pk", value)
        if old != new:
            changed[field.column] = redact_values(field, old, new)
    return changed


def deleted_values(row: models.Model) -> dict[Any, Any]:
    return {
        f.column: redact_values(f, f.value_from_object(row), None)
        for f in row._meta.concrete_fields
    }


def redact_values(field: models.Field, old: Any, new: Any) -> Any:
    """Return old and new value as the record keeps them: of a secret only that it changed."""
    if is_secret(field):
        return []
    if isinstance(field, ListTextField) and old is not None and new is not None:
        return field.difference(old, new)
    return [serialize_value(old), serialize_value(new)]


def is_secret(field: models.Field) -> bool:
    """Return whether the values of a column are not to be kept in records."""
    return getattr(field, "secret", False)


def serialize_value(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return format_moment(value, timezone.get_current_timezone())
    return str(value) if isinstance(value, (datetime.date, Decimal)) else value


@functools.lru_cache(maxsize=64)  # many rows of one change have the same time
def format_moment(moment: datetime.datetime, zone: datetime.tzinfo) -> str:
    return timezone.localtime(moment, zone).strftime("%Y-%m-%d %H:%M:%S")


def get_field_default(field: models.Field) -> Any:
    """Return the default of a column; None if it has none, or the current time."""
    if field.primary_key or not field.has_default() or field.default is timezone.now:
        return None
    return field.get_default()


def format_row_key(row: models.Model) -> str:
    """Return what the log calls this row: its key, or the key of the row it belongs to."""
    if owner := getattr(row, "log_key", None):
        return owner
    return "/".join(str(part) for part in row.pk) if isinstance(row.pk, tuple) else str(row.pk)


def get_row_domain(row: models.Model) -> str:
    """Return the domain whose admins may read about a change of this row."""
    for name in ("domain_id", "target_domain_id", "domain_name_id"):
        if hasattr(row, name):
            return getattr(row, name) or ""
    return row.pk if has_field(type(row), "domain") else ""


@functools.cache
def has_field(model: type[models.Model], name: str) -> bool:
    return any(f.name == name for f in model._meta.concrete_fields)


def reload_full_rows(model: type[models.Model], instances: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows with all columns, which the record wants; Django collects only some."""
    if not is_scoped_model(model):
        return
    for part in chunks(instances):
        yield from model._base_manager.filter(pk__in=[row.pk for row in part])


def insert_log_lines(lines: Sequence[LogLine]) -> None:
    """Write PostfixAdmin's log, unless the operator wants none."""
    if settings.MAILADMIN_LOGGING:
        for line in lines:
            fit_log_line(line)
        insert_rows(lines, Log)


def fit_log_line(line: LogLine) -> None:
    """Shorten a line to what an adopted log holds: 2.1 had 255 characters of latin1."""
    if not line.data.isascii() and not fits_column(Log._meta.get_field("data"), line.data):
        line.data = line.data.encode("ascii", "backslashreplace").decode()
    line.data = line.data[:255]
    line.username = line.username.encode("ascii", "backslashreplace").decode()[:255]


def is_batch_stored(batch: UUID) -> bool:
    """Return whether records of this batch are stored; if not, they may still appear."""
    try:
        return Change.objects.filter(batch=batch).exists()
    except OperationalError:
        return False
