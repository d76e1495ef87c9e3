"""Who did something, as a reader may see it: domain admins see no client address of a superadmin.

The log looks up who of its actors is a superadmin. Overviews show domain admins names alone, which
costs no query.
"""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model

from mailadmin.accounts.models import Role
from mailadmin.changes.models import Log
from mailadmin.names import fold


def add_actors(lines: Iterable[Log], principal: Any) -> list[Log]:
    """Add to lines of the log who did it, as this principal may see it; in one query."""
    lines = list(lines)
    if principal.role is Role.SUPERADMIN:
        superadmins = set()
    else:
        superadmins = find_superadmins({get_actor_name(line.username) for line in lines})
    for line in lines:
        name = get_actor_name(line.username)
        line.actor = name if fold(name) in superadmins else line.username
    return lines


def find_superadmins(names: Collection[str]) -> set[str]:
    """Return those of the names that belong to superadmins, in lower case.

    A name that is not ASCII cannot be looked up, and may be one.
    """
    others = {fold(name) for name in names if not name.isascii()}
    admins: Any = get_user_model()._default_manager
    superadmins = admins.superadmins().filter(pk__in=[name for name in names if name.isascii()])
    return others | {fold(pk) for pk in superadmins.values_list("pk", flat=True)}


def format_actor(actor: str, principal: Any) -> str:
    """Return who did something, for an overview: to domain admins without the client address."""
    return actor if principal.role is Role.SUPERADMIN else get_actor_name(actor)


def get_actor_name(actor: str) -> str:
    """Return the name of "name (client address)"."""
    return actor.partition(" (")[0]
