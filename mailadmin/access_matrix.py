"""Who may open which URL, as the views and tables declare it; docs/security.md shows it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver
from django.views.generic import View

from mailadmin.accounts.models import Role
from mailadmin.accounts.requests import needs_login
from mailadmin.tables.table import Table

MARKER = "<!-- Written by `manage.py access-matrix docs/security.md`: -->\n"
HTTP_METHODS = ("get", "post", "put", "patch", "delete")
ROLE_TEXTS = {
    Role.ANYONE: "everybody who is signed in",
    Role.ADMINS: "admins",
    Role.SUPERADMIN: "superadmins",
    Role.MAILBOX: "mailbox owners",
    Role(0): "nobody",  # the operator has disabled the table
}
ROWS_TEXTS = {
    Role.ANYONE: "in their scope",
    Role.ADMINS: "of their domains",
    Role.SUPERADMIN: "all",
    Role.MAILBOX: "their own",
    Role(0): "none",
}


@dataclass(frozen=True)
class DeclaredPage:
    """One URL of the panel with what its view declares."""

    pattern: URLPattern

    @property
    def name(self) -> str:
        return self.pattern.name or ""

    @property
    def route(self) -> str:
        return "/" + str(self.pattern.pattern).lstrip("^")

    @property
    def view(self) -> type[View] | None:
        return getattr(self.pattern.callback, "view_class", None)

    @property
    def options(self) -> dict[str, Any]:
        return getattr(self.pattern.callback, "view_initkwargs", {})

    @property
    def is_api(self) -> bool:
        return self.route.startswith("/api/") and hasattr(self.view, "access_table")

    @property
    def is_public(self) -> bool:
        """Return whether it opens without a login and without a token."""
        return not self.is_api and not needs_login(self.pattern.callback)

    @property
    def table(self) -> Table | None:
        table = self.options.get("table", getattr(self.view, "table", None))
        return table if isinstance(table, Table) else None

    @property
    def screens(self) -> dict[str, tuple[str, str]]:
        """Return method → (verb of tokens, screen), of a table in the API."""
        return getattr(self.view, "access_by_method", {})

    @property
    def methods(self) -> list[str]:
        """Return the methods that it answers, but HEAD and OPTIONS."""
        names = self.options.get("http_method_names", getattr(self.view, "http_method_names", ()))
        return [name for name in HTTP_METHODS if name in names and hasattr(self.view, name)]

    def get_roles(self, method: str) -> Role:
        """Return who may use a method; nobody, if the view does not say so."""
        if self.table is None:
            roles = getattr(self.view, "roles", None)
            return roles if isinstance(roles, Role) else Role(0)
        _verb, screen = self.screens.get(method.upper(), ("", getattr(self.view, "screen", "")))
        return self.table.api_roles_of(screen) if self.is_api else self.table.roles_of(screen)

    def describe_rows(self, method: str) -> str:
        """Return whose rows are behind a method."""
        if self.is_public:
            return "none"
        if "<key:key>" in self.route:
            return ROWS_TEXTS[self.get_roles(method)]
        if "<int:pk>" in self.route or "/account/" in self.route:
            return "their own"
        return ROWS_TEXTS[self.get_roles(method)]

    def describe_roles(self, method: str) -> str:
        if self.is_public:
            return "anybody"
        text = ROLE_TEXTS[self.get_roles(method)]
        return f"tokens of {text}" if self.is_api else text


def list_pages() -> list[DeclaredPage]:
    return [DeclaredPage(pattern) for pattern in iter_patterns(get_resolver())]


def iter_patterns(resolver: URLResolver) -> Iterator[URLPattern]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from iter_patterns(pattern)


def render_access_matrix() -> str:
    """Return the table of all URLs in Markdown."""
    lines = ["| URL | methods | who | whose rows |", "|---|---|---|---|"]
    for page in list_pages():
        route = re.sub(r"<\w+:(\w+)>", r"<\1>", page.route)
        for (who, rows), methods in group_methods(page).items():
            lines.append(f"| `{route}` | {', '.join(methods)} | {who} | {rows} |")
    return "\n".join(lines) + "\n"


def group_methods(page: DeclaredPage) -> dict[tuple[str, str], list[str]]:
    """Return (who, whose rows) → the methods; a page of a plain function answers any."""
    found: dict[tuple[str, str], list[str]] = {}
    for method in page.methods or ["any"]:
        if method != "put":  # Django's forms take it for POST
            pair = page.describe_roles(method), page.describe_rows(method)
            found.setdefault(pair, []).append(method.upper() if page.methods else method)
    return found


def write_access_matrix(path: Path) -> None:
    """Replace what follows the marker in a page of the documentation."""
    head, marker, _old = path.read_text(encoding="utf-8").partition(MARKER)
    if not marker:
        raise ValueError(f"{path} lacks the line {MARKER.strip()}")
    path.write_text(f"{head}{marker}\n{render_access_matrix()}", encoding="utf-8")
