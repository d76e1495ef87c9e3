"""What the change record says of a row: old and new, and of secrets only that they changed."""

import datetime
import functools

from django.utils import timezone


def text_values(row):
    """What finds a row again whose number is not known."""
    return {
        f.attname: value
        for f in row._meta.concrete_fields
        if isinstance(value := f.value_from_object(row), str)
    }


def created_values(row):
    """Of a new row what differs from the defaults."""
    found = {}
    for field, default in recorded_columns(type(row)):
        value = getattr(row, field.attname)
        if value != (default() if callable(default) else default):
            found[field.column] = redact_values(field, None, value)
    return found


@functools.cache
def recorded_columns(model):
    """(column, its default) of all but the dates that every row has."""
    fields = [f for f in model._meta.concrete_fields if f.name not in ("created", "modified")]
    return [(field, get_field_default(field)) for field in fields]


def changed_values(row, values):
    changed = {}
    for name, value in values.items():
        column = row._meta.get_field(name)
        old, new = column.value_from_object(row), getattr(value, "pk", value)
        if old != new:
            changed[column.column] = redact_values(column, old, new)
    return changed


def deleted_values(row):
    return {
        f.column: redact_values(f, f.value_from_object(row), None)
        for f in row._meta.concrete_fields
    }


def redact_values(column, old, new):
    """Old and new value as the record may keep them: of a secret only that it changed."""
    if getattr(column, "secret", False):
        return []
    if hasattr(column, "difference") and old is not None and new is not None:
        return column.difference(old, new)
    return [serialize_value(old), serialize_value(new)]


def serialize_value(value):
    if isinstance(value, datetime.datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M:%S")
    return value


def get_field_default(column):
    """The default, or what makes it."""
    return None if column.primary_key or not column.has_default() else column.default


def format_row_key(row):
    """What the log calls this row: its key, or the key of whom it belongs to."""
    if owner := getattr(row, "log_key", None):
        return owner
    return "/".join(str(part) for part in row.pk) if isinstance(row.pk, tuple) else str(row.pk)


def get_row_domain(row):
    """The domain whose admins may read of this row's change."""
    for name in ("domain_id", "target_domain_id", "domain_name_id"):
        if hasattr(row, name):
            return getattr(row, name) or ""
    return row.pk if has_field(type(row), "domain") else ""


def has_field(model, name):
    return any(f.name == name for f in model._meta.concrete_fields)
