"""Rows as JSON values, the ETag of a row, and the errors of forms as data."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from mailadmin.changes.perform import SeenVersion, digest_values
from mailadmin.db.fields import is_known_date
from mailadmin.tables.forms import TableForm, get_errors_by_field
from mailadmin.tables.table import Table

ErrorTexts = dict[str, list[str]]  # field → texts; "" is for errors of no field


def serialize_rows(table: Table, rows: Iterable[Any], principal: Any) -> list[dict[str, Any]]:
    """Return rows as {column: value} for this principal, in the types that their forms take."""
    rows = table.prefetch_live_values(table.prefetch_values(rows, principal))
    names = table.api_columns(principal.role)
    return [{name: to_json_value(table.api_value(row, name)) for name in names} for row in rows]


def serialize_row(table: Table, row: Any, principal: Any) -> dict[str, Any]:
    return serialize_rows(table, [row], principal)[0]


def serialize_version(table: Table, row: Any, principal: Any) -> dict[str, Any]:
    """Return the values of a row that only an edit changes, by which versions are told apart."""
    [found] = table.prefetch_values([row], principal)
    names = [n for n in table.api_columns(principal.role) if n not in table.live_columns]
    return {name: to_json_value(table.api_value(found, name)) for name in names}


def to_json_value(value: Any) -> Any:
    """Return a value as a type of JSON; an unknown date is None."""
    match value:
        case datetime.datetime():
            return timezone.localtime(value).isoformat() if is_known_date(value) else None
        case datetime.date():
            return value.isoformat()
        case Decimal():
            return float(value)
    return value


def add_warnings(
    table: Table, rows: Sequence[Any], values: list[dict[str, Any]], principal: Any
) -> list[dict[str, Any]]:
    """Return the values of saved rows, with warnings where there are some."""
    warnings = table.warnings(principal, rows)
    return [
        value | ({"warnings": warnings[row.pk]} if row.pk in warnings else {})
        for row, value in zip(rows, values, strict=True)
    ]


# Versions


def etag_values(table: Table, row: Any, principal: Any) -> dict[str, Any]:
    """Return what an ETag covers: the values shown of the row, and its hidden secrets."""
    secrets = [f for f in row._meta.concrete_fields if getattr(f, "secret", False)]
    hidden = {f"secret {field.column}": field.value_from_object(row) for field in secrets}
    return serialize_version(table, row, principal) | hidden


def compute_etag(table: Table, row: Any, principal: Any) -> str:
    return digest_values(etag_values(table, row, principal))


def seen_by_etag(table: Table, row: Any, principal: Any, etag: str) -> SeenVersion:
    """Return the version of a row that a program saw under this ETag."""
    return SeenVersion(type(row), row.pk, etag, lambda now: etag_values(table, now, principal))


# Errors


def form_errors(form: TableForm) -> ErrorTexts:
    unknown: ErrorTexts = {name: [_("This cannot be set here.")] for name in form.unknown_fields}
    return unknown | error_texts(form.errors.as_data())


def error_codes(form: TableForm) -> set[str | None]:
    return {error.code for errors in form.errors.as_data().values() for error in errors}


def error_texts(errors: Mapping[str, Iterable[ValidationError]]) -> ErrorTexts:
    return {
        "" if name == NON_FIELD_ERRORS else name: [text for e in list_ for text in e.messages]
        for name, list_ in errors.items()
    }


def validation_texts(error: ValidationError) -> ErrorTexts:
    return error_texts(
        {name: getattr(e, "error_list", e) for name, e in get_errors_by_field(error).items()}
    )
