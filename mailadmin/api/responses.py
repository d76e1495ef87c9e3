"""Write values as JSON responses."""

import json
from collections.abc import Mapping

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse

JSON_TYPE = "application/json"
# Valid in JSON, but the end of a line to old JavaScript.
LINE_SEPARATORS = {0x2028: "\\u2028", 0x2029: "\\u2029"}


def render_json(value: object) -> bytes:
    """Return the value as compact JSON in UTF-8."""
    text = json.dumps(
        value,
        cls=DjangoJSONEncoder,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    return text.translate(LINE_SEPARATORS).encode()


def json_response(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = JSON_TYPE,
) -> HttpResponse:
    """Return a response whose body is this value."""
    headers = {"Content-Type": content_type} | dict(headers or {})
    return HttpResponse(render_json(value), status=status, headers=headers)


def empty_response(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return a response without a body and so without a type of it."""
    response = HttpResponse(status=status, headers=headers)
    del response.headers["Content-Type"]
    return response
