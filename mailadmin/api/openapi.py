"""Build the OpenAPI document from the API's URLs and the tables behind them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.urls import URLPattern, get_resolver
from django.utils.translation import override

from mailadmin.api.base import ApiView
from mailadmin.api.schemas import SHARED_SCHEMAS, build_table_schemas

PATH_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
PUBLIC_NAMES = {"pk": "id"}  # of arguments, where Django has a word of its own
INFO = {
    "title": "mailadmin",
    "version": "1",
    "description": "Manage the domains, mailboxes and aliases of a mail server.",
}
BEARER_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A personal token, created on the page /account/tokens/.",
}


def render_openapi_document() -> str:
    """Return the document of the forms and columns as they are, as JSON."""
    return render_document(build_openapi_document())


def render_document(document: Mapping[str, object]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def build_openapi_document() -> dict[str, object]:
    """Return the whole document, in English."""
    with override("en"):
        views = dict(sorted(iter_api_views()))
        return {
            "openapi": "3.1.0",
            "info": INFO,
            "paths": {path: view.get_operations() for path, view in views.items()},
            "components": {
                "schemas": build_components(views.values()),
                "securitySchemes": {"token": BEARER_TOKEN},
            },
        }


def iter_api_views() -> Iterator[tuple[str, ApiView]]:
    """Yield the path and the view of each API URL."""
    for pattern in get_resolver().url_patterns:
        callback: Any = getattr(pattern, "callback", None)
        view_class = getattr(callback, "view_class", None)
        if isinstance(pattern, URLPattern) and view_class and issubclass(view_class, ApiView):
            yield get_path(pattern), view_class(**callback.view_initkwargs)


def get_path(pattern: URLPattern) -> str:
    """Return the path of a URL with its arguments in braces."""
    return "/" + PATH_ARGUMENT.sub(get_placeholder, str(pattern.pattern))


def get_placeholder(match: re.Match[str]) -> str:
    return f"{{{PUBLIC_NAMES.get(match[1], match[1])}}}"


def build_components(views: Iterable[ApiView]) -> dict[str, object]:
    """Return the schemas of all tables and those that they share, by name."""
    schemas: dict[str, object] = dict(SHARED_SCHEMAS)
    for table in (getattr(view, "table", None) for view in views):
        schemas |= build_table_schemas(table) if table else {}
    return dict(sorted(schemas.items()))
