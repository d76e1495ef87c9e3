"""URLs in any letter case, for programs that do not agree on one."""

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.urls.resolvers import RoutePattern


class CaseInsensitiveRoute(RoutePattern):
    """A route in lower case that matches paths in any."""

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        return super().match(path.lower())


def path_in_any_case(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    """Return the URL of a view, as Django's `path()` does."""
    return URLPattern(CaseInsensitiveRoute(route, name=name, is_endpoint=True), view, None, name)
