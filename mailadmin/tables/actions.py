"""What a table does: the services that change its rows, and the actions on selected rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from django.core.exceptions import ValidationError
from django.utils.functional import Promise

from mailadmin.changes.perform import Changes
from mailadmin.translation import gettext_lazy

if TYPE_CHECKING:
    from mailadmin.tables.forms import ConflictCheckedForm

Service = Callable[..., Any]
Text = str | Promise


@dataclass(frozen=True)
class Action:
    """Something to do with selected rows, and how it is worded: for one row, for a number of them.

    A number of rows is named by the table: "15 mailboxes". An action sets a column, or has a
    service of its own, which is called with the model, the keys and, if the action has a form, its
    values.
    """

    name: str
    label: Text
    label_many: Text
    done: Text
    done_many: Text
    field: str = ""
    value: bool = False
    icon: str = "power"
    service: Service | None = None
    explanation: Text = ""  # what happens then, where the label does not say it
    form_class: "type[ConflictCheckedForm] | None" = None  # shown where the action is confirmed

    def describe(self, rows: str) -> str:
        """Return what the action does: "Delete 15 mailboxes"."""
        return str(self.label_many) % {"rows": rows}

    def read_values(self, entered: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the form; raise ValidationError if it does not accept them."""
        if self.form_class is None:
            return {}
        form = self.form_class(entered)
        if not form.is_valid():
            raise ValidationError(form.errors.as_data())
        return form.get_service_values()

    def describe_done(self, rows: str) -> str:
        """Return what the action has done: "15 mailboxes deleted."."""
        return str(self.done_many) % {"rows": rows}


ACTIVATE = Action(
    "activate",
    gettext_lazy("Activate"),
    gettext_lazy("Activate %(rows)s"),
    gettext_lazy("%(row)s was activated."),
    gettext_lazy("%(rows)s activated."),
    "active",
    True,
)
DEACTIVATE = Action(
    "deactivate",
    gettext_lazy("Deactivate"),
    gettext_lazy("Deactivate %(rows)s"),
    gettext_lazy("%(row)s was deactivated."),
    gettext_lazy("%(rows)s deactivated."),
    "active",
    False,
)
DELETE = Action(
    "delete",
    gettext_lazy("Delete"),
    gettext_lazy("Delete %(rows)s"),
    gettext_lazy("%(row)s was deleted."),
    gettext_lazy("%(rows)s deleted."),
)


def missing_service(changes: Changes, *arguments: Any) -> NoReturn:
    raise NotImplementedError("the table has no such service")


@dataclass(frozen=True)
class Services:
    """The functions that change rows; each takes `changes` first."""

    create: Service = missing_service  # (changes, [values, …])
    edit: Service = missing_service  # (changes, key, values)
    edit_many: Service | None = None  # (changes, [(key, values), …]), if there is one
    set: Service = missing_service  # (changes, keys, field, value)
    delete: Service = missing_service  # (changes, keys)
