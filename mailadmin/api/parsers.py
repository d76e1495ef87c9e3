"""Read JSON from the body of a request."""

import codecs
import json
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.translation import gettext as _

from mailadmin.api.problems import ApiProblem
from mailadmin.api.responses import JSON_TYPE

NO_LENGTH = (None, "", "0")


def parse_json_body(request: HttpRequest) -> Any:
    """Return what was sent; without a body it is an empty object, whatever its type."""
    if not request.body and request.META.get("CONTENT_LENGTH") in NO_LENGTH:
        return {}  # but a body that was announced and did not arrive is broken JSON
    content_type = request.META.get("CONTENT_TYPE", "")
    if not is_json_type(content_type):
        text = _('Unsupported media type "%(type)s" in request.')
        raise ApiProblem(415, text % {"type": content_type})
    try:
        return parse_json(request.body)
    except RecursionError as error:
        raise ApiProblem(400, _("The body is nested too deeply.")) from error
    except ValueError as error:
        raise ApiProblem(400, f"JSON parse error - {error}") from error


def is_json_type(content_type: str) -> bool:
    """Return whether a Content-Type names JSON, with whatever parameters."""
    return content_type.partition(";")[0].strip().lower() == JSON_TYPE


def parse_json(body: bytes) -> object:
    """Parse UTF-8; a character that is cut off at the very end is ignored."""
    text, _size = codecs.utf_8_decode(body)
    return json.loads(text, parse_constant=refuse_constant)


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")
