"""The template context of every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from mailadmin import __version__
from mailadmin.accounts.models import Role
from mailadmin.db.checks import find_nontransactional_tables
from mailadmin.menu import render_menu


def panel_context(request: HttpRequest) -> dict[str, Any]:
    """Return what every page shows: the menu for the user's role, the theme, the version."""
    principal = getattr(request, "user", None)
    role = getattr(principal, "role", None)
    return {
        "menu": render_menu(principal, request.path) if role else "",
        "is_superadmin": role == Role.SUPERADMIN,
        "is_admin": isinstance(role, Role) and role in Role.ADMINS,
        "myisam_tables": find_nontransactional_tables() if role == Role.SUPERADMIN else (),
        "may_forward": settings.MAILADMIN_EDIT_ALIAS,
        "has_alias_domains": settings.MAILADMIN_ALIAS_DOMAIN,
        "theme": get_theme(request),
        "version": __version__,
    }


def get_theme(request: HttpRequest) -> str:
    theme = request.COOKIES.get("mailadmin_theme") if request else None
    return theme if theme in ("light", "dark") else ""
