"""What a table does: the services that change its rows, and the actions on selected rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from mailadmin.changes.perform import Changes

Service = Callable[..., Any]
Text = str | Promise


@dataclass(frozen=True)
class Action:
    """Something to do with selected rows."""

    name: str
    label: Text
    field: str = ""
    value: bool = False
    done: Text = gettext_lazy("%(row)s was updated.")


ACTIVATE = Action(
    "activate", gettext_lazy("Activate"), "active", True, gettext_lazy("%(row)s was activated.")
)
DEACTIVATE = Action(
    "deactivate",
    gettext_lazy("Deactivate"),
    "active",
    False,
    gettext_lazy("%(row)s was deactivated."),
)
DELETE = Action("delete", gettext_lazy("Delete"))


def missing_service(changes: Changes, *arguments: Any) -> NoReturn:
    raise NotImplementedError("the table has no such service")


@dataclass(frozen=True)
class Services:
    """The functions that change rows; each takes `changes` first."""

    create: Service = missing_service  # (changes, [values, …])
    edit: Service = missing_service  # (changes, key, values)
    set: Service = missing_service  # (changes, keys, field, value)
    delete: Service = missing_service  # (changes, keys)
