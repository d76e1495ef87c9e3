"""What every page shows."""

from django.conf import settings
from django.utils.module_loading import import_string

from mailadmin import __version__
from mailadmin.accounts.models import Role
from mailadmin.db.checks import tables_without_transactions


def panel(request):
    """What every page shows: the menu of this person's role, the version."""
    person = getattr(request, "user", None)
    role = getattr(person, "role", None)
    menu = import_string(f"{settings.ROOT_URLCONF}.MENU") if role else []
    return {
        "menu": [entry for entry in menu if entry.may("list", person)],
        "is_superadmin": role == Role.SUPERADMIN,
        "is_admin": bool(role) and role in Role.ADMINS,
        "myisam_tables": tables_without_transactions() if role == Role.SUPERADMIN else (),
        "may_forward": settings.MAILADMIN_EDIT_ALIAS,
        "may_vacation": settings.MAILADMIN_VACATION,
        "theme": chosen_theme(request),
        "version": __version__,
    }


def chosen_theme(request):
    theme = request.COOKIES.get("mailadmin_theme") if request else None
    return theme if theme in ("light", "dark") else ""
