"""The responses to requests that create rows, and what is stored of them for repeated requests."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.http import quote_etag

from mailadmin.api.responses import json_response
from mailadmin.tables.serialization import add_warnings, compute_etag, serialize_rows
from mailadmin.tables.table import Table


def build_new_rows(
    table: Table,
    principal: Any,
    sent: dict | list,
    rows: Sequence[Any],
    is_stored: bool = False,
) -> dict:
    """Return the response to new rows, in the form in which they were sent.

    The one that is stored has none of the values that are shown only once.
    """
    hidden = dict.fromkeys(table.new_value_texts)
    values = add_warnings(table, rows, serialize_rows(table, rows, principal), principal)
    values = [
        shown | (hidden if is_stored else table.get_new_values(row))
        for row, shown in zip(rows, values, strict=True)
    ]
    if isinstance(sent, list):
        return {"body": {"items": values}, "headers": {}}
    location = reverse(f"api-{table.slug}-row", args=[rows[0].pk])
    etag = compute_etag(table, rows[0], principal)
    headers = {"Location": location, "ETag": quote_etag(etag)}
    return {"body": values[0], "headers": headers}


def build_created_response(stored: dict, headers: dict[str, str] | None = None) -> HttpResponse:
    """Build the response to a POST from what is stored of it."""
    status = stored.get("status", 201)
    return json_response(stored["body"], status, stored["headers"] | (headers or {}))
