"""`Table`, the declaration of one table. Pages, API, commands and imports hold such an object."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import QuerySet
from django.utils.text import capfirst

from mailadmin.accounts.models import Role, visible_rows
from mailadmin.changes.perform import Actor, SeenVersion, perform
from mailadmin.db.custom_columns import CustomColumnMixin
from mailadmin.db.models import has_generated_key
from mailadmin.formatting import key_url, page_url, url_builder
from mailadmin.jobs.models import Job
from mailadmin.jobs.selections import start_selection_job
from mailadmin.jobs.services import start_job
from mailadmin.names import try_normalize_address, try_normalize_domain
from mailadmin.tables import cascade
from mailadmin.tables.actions import ACTIVATE, DEACTIVATE, DELETE, Action, Services, Text
from mailadmin.tables.columns import Column, build_column
from mailadmin.tables.filters import (
    filter_by_columns,
    find_invalid_filters,
    is_filter_of,
    search_rows,
)
from mailadmin.tables.forms import TableForm
from mailadmin.tables.pages import Page, read_page
from mailadmin.tables.parts import PartsMixin
from mailadmin.tables.values import ValuesMixin
from mailadmin.translation import Count, LazyPlural, gettext_lazy, ngettext_lazy

BULK_JOB_KIND = "bulk"
MAX_IMMEDIATE_ROWS = 200  # more are changed by a job
READ_ROLES = dict.fromkeys(("list", "export"), Role.ADMINS)
WRITE_SCREENS = ("create", "edit", "toggle", "bulk", "delete", "import")
DATE_COLUMNS = ("created", "modified")  # exported, and ignored by imports


class Table(PartsMixin, ValuesMixin):
    """Declare a table by overriding attributes; the methods answer pages, API and commands.

    A table knows no request, no response and no template.
    """

    model: type[models.Model]
    form_class: type[TableForm] = TableForm
    services = Services()
    slug = ""
    icon = "table"
    menu_group = "mail"
    menu_position = 0
    is_searched = True  # by the global search
    columns: Sequence[str | Column] = ()
    hidden_columns: Sequence[str] = ()  # of `columns`, shown where a reader chooses them
    card_columns: Sequence[str] = ()  # shown besides the first on a narrow screen
    ready_url_name = ""  # of the page that hands over a new password
    detail_url_name = ""  # of the page of one row; without one a row opens in its form
    search_fields: Sequence[str] = ()
    column_filters: Mapping[str, CustomColumnMixin] = {}  # columns by whose values lists filter
    filter_names: Sequence[str] = ("domain", "active", "q")
    roles: Mapping[str, Role] = {}  # screen → who may open it; a screen not named does not exist
    program_roles: Mapping[str, Role] = {}  # of screens that have no page, for the API
    toggles: Mapping[str, Text] = {"active": gettext_lazy("active")}
    actions: Sequence[Action] = (ACTIVATE, DEACTIVATE, DELETE)
    newest_first = False
    order: tuple[str, ...] = ("pk",)  # needs an index
    new_label: Text = gettext_lazy("New")
    count_text: LazyPlural = ngettext_lazy("%(count)s row", "%(count)s rows", "count")
    empty_text: Text = gettext_lazy("Nothing here yet.")
    not_searched_text: Text = ""  # where too many are deleted to look for inbound references
    # Roles and scope

    def is_enabled(self) -> bool:
        """Return whether the operator has enabled this table."""
        return True

    def roles_of(self, screen: str) -> Role:
        """Return who may open a screen."""
        return self.roles.get(screen, Role(0)) if self.is_enabled() else Role(0)

    @property
    def api_roles(self) -> Mapping[str, Role]:
        """Return screen → who may use it by the API."""
        return {**self.roles, **self.program_roles}

    def api_roles_of(self, screen: str) -> Role:
        """Return who may use a screen by the API."""
        return self.api_roles.get(screen, Role(0)) if self.is_enabled() else Role(0)

    def allows(self, screen: str, principal: Any) -> bool:
        """Return whether this principal may open a screen."""
        return principal.role in self.roles_of(screen)

    def allowed_screens(self, principal: Any) -> dict[str, bool]:
        """Return each screen with whether this principal may open it."""
        return {screen: self.allows(screen, principal) for screen in self.roles}

    def queryset(self, principal: Any) -> QuerySet:
        """Return all rows in the scope of this principal."""
        return visible_rows(self.model, principal)

    def find(self, principal: Any, key: Any) -> models.Model | None:
        """Return the row of this key; None if it does not exist or is out of scope."""
        try:
            return self.queryset(principal).filter(pk=key).first()
        except ValueError:
            return None

    # Rows of lists

    def filter_listed(self, rows: QuerySet) -> QuerySet:
        """Return the rows that lists show."""
        return rows

    def filter_searchable(self, rows: QuerySet, text: str) -> QuerySet:
        """Return the rows that the global search shows."""
        return self.filter_listed(rows)

    def filter_by_domain(self, rows: QuerySet, name: str) -> QuerySet:
        """Return the rows of one domain."""
        return rows.filter(**{self.domain_lookup: name})

    def filters(self, params: Mapping[str, str]) -> dict[str, str]:
        """Return the filters of a query string that are not empty."""
        values = {name: params.get(name, "").strip() for name in self.filter_names}
        return {name: value for name, value in values.items() if value}

    def filter_choices(self, principal: Any) -> Mapping[str, Mapping[str, Text]]:
        """Return filter → its choices with their labels, for the filters of this table alone."""
        return {}

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        """Return the rows that match the filters: domain, active, search."""
        if domain := filters.get("domain"):
            rows = self.filter_by_domain(rows, try_normalize_domain(domain))
        if (active := filters.get("active")) in ("0", "1"):
            rows = rows.filter(active=active == "1")
        rows = filter_by_columns(rows, self.column_filters, filters)
        return search_rows(rows, self.search_fields, filters.get("q", ""))

    def find_invalid_filters(self, filters: Mapping[str, str]) -> list[str]:
        """Return the filters whose values are none: they would match nothing, or everything."""
        return [
            *find_invalid_filters(filters),
            *(n for n, f in self.column_filters.items() if not is_filter_of(f, filters.get(n))),
        ]

    def select(self, principal: Any, filters: Mapping[str, str]) -> QuerySet:
        """Return the rows of a list: in scope, listed, matching."""
        return self.filter_listed(self.filter(self.queryset(principal), filters))

    def ordering(self, filters: Mapping[str, str], principal: Any) -> tuple[str, ...]:
        """Return the columns by which a list is ordered and paged."""
        return self.order

    def page(
        self,
        principal: Any,
        filters: Mapping[str, str],
        size: int,
        *,
        after: Any = None,
        before: Any = None,
        ascending: bool | None = None,
    ) -> Page:
        """Return one page of rows: after a key, before a key, or the first."""
        ascending = not self.newest_first if ascending is None else ascending
        parts = self.split(self.select(principal, filters), filters, principal)
        order = self.ordering(filters, principal)
        return read_page(
            self.model, parts, order, size, after=after, before=before, ascending=ascending
        )

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        """Add to the rows of a page what their cells show from other tables."""
        return rows

    def head_values(self, row: Any) -> dict[str, Any]:
        """Return what the head of a row's pages shows from other tables."""
        return {}

    def count(self, principal: Any, filters: Mapping[str, str]) -> int | None:
        """Return how many rows match, where that is known without counting them."""
        return None

    # Columns

    @functools.cached_property
    def list_columns(self) -> list[Column]:
        return [build_column(self.model, name) for name in self.columns]

    def get_list_columns(self, role: Role) -> list[Column]:
        """Return the columns of the list that people of this role see."""
        return [column for column in self.list_columns if role in column.roles]

    @property
    def key_column(self) -> str:
        return str(self.model._meta.pk.column)

    @functools.cached_property
    def has_state(self) -> bool:
        return any(field.name == "active" for field in self.model._meta.fields)

    def prefetch_forms(self, rows: list[Any]) -> list[Any]:
        """Return the rows with what their forms need from other tables, in one query."""
        return rows

    @property
    def key_type(self) -> type:
        """Return the type of the keys: numbers are given by the database."""
        return int if has_generated_key(self.model) else str

    def is_possible_key(self, value: Any) -> bool:
        """Return whether a value has the type of the keys, and a size that a column holds."""
        if self.key_type is str:
            return isinstance(value, str)
        return type(value) is int and 0 < value < 2**63

    def parse_key(self, text: str) -> str:
        """Return the key that a user means by this text."""
        return try_normalize_address(text) if "@" in text else try_normalize_domain(text)

    # Saved rows

    def warnings(self, principal: Any, rows: Sequence[Any]) -> dict[str, list[str]]:
        """Return key → warnings about rows that may be saved all the same."""
        return {}

    def save_notices(self, row: Any, is_new: bool) -> list[str]:
        """Return what a page says about a saved row besides that it was saved."""
        return []

    def url_after_save(self, row: Any, has_new_password: bool, is_new: bool) -> str:
        """Return the page that follows a saved form: what to hand over, the row, or its list."""
        if has_new_password and self.ready_url_name:
            return key_url(self.ready_url_name, row.pk) + ("" if is_new else "?changed=1")
        return self.row_url(row.pk) if self.detail_url_name else self.list_url(row)

    # Many rows

    def get_actions(self, principal: Any) -> Sequence[Action]:
        """Return the actions that this principal may run."""
        return self.actions

    def run_action(
        self,
        actor: Actor,
        action: Action,
        keys: Sequence[Any],
        seen: SeenVersion | None = None,
        entered: Mapping[str, Any] | None = None,
    ) -> Job | None:
        """Run the action now, or return the job that does it where the rows are many.

        `entered` is what was entered into the action's form.
        """
        if len(keys) <= MAX_IMMEDIATE_ROWS:
            service, *service_arguments = self.action_step(action, keys, entered)
            perform(actor, service, *service_arguments, seen=seen)
            return None
        title, arguments = self.describe_bulk_job(action, len(keys), entered)
        return start_job(actor, BULK_JOB_KIND, title, arguments, len(keys), keys)

    def run_selection_action(
        self,
        actor: Actor,
        action: Action,
        selection: Job,
        entered: Mapping[str, Any] | None = None,
    ) -> Job:
        """Start the job of a large selection, whose keys are stored already."""
        title, arguments = self.describe_bulk_job(action, selection.total, entered)
        return perform(actor, start_selection_job, selection, BULK_JOB_KIND, title, arguments)

    def describe_bulk_job(
        self, action: Action, count: int, entered: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Return title and arguments of the job that does this to so many rows."""
        title = action.describe(self.format_count(count))
        more = {} if entered is None else {"entered": dict(entered)}
        return title, {"table": self.slug, "action": action.name} | more

    def action_step(
        self, action: Action, keys: Sequence[Any], entered: Mapping[str, Any] | None = None
    ) -> tuple[Any, ...]:
        """Return the service of the action, with its arguments."""
        if action is DELETE:
            return self.services.delete, keys
        if action.service:
            values = () if entered is None else (action.read_values(entered),)
            return action.service, self.model, keys, *values
        return self.services.set, keys, action.field, action.value

    # Deletion

    def cascade_querysets(self, keys: Sequence[Any]) -> list[QuerySet]:
        """Return the rows of other tables that are deleted with these."""
        return cascade.related_querysets(self.model, keys)

    def cascade_counts(self, keys: Sequence[Any]) -> list[tuple[str, int]]:
        """Return how many rows of each other table are deleted with these."""
        return cascade.count_by_table(self.cascade_querysets, keys)

    def delete_blockers(self, keys: Sequence[Any], principal: Any) -> list[str]:
        """Return why these rows cannot be deleted, as far as it is known beforehand."""
        return []

    def inbound_references(
        self, keys: Sequence[Any], principal: Any
    ) -> list[cascade.ReferenceGroup]:
        """Return rows in scope that point to the deleted ones and are kept; no empty groups."""
        return []

    # Names

    @property
    def label(self) -> Text:
        return capfirst(self.model._meta.verbose_name_plural or self.slug)

    def format_count(self, count: int) -> str:
        """Return a number of rows in words: "15 mailboxes"."""
        return self.count_text % {"count": Count(count)}

    @property
    def model_name(self) -> Text:
        return self.model._meta.verbose_name or self.slug

    def url(self, screen: str, key: Any = None) -> str:
        name = f"{self.slug}-{screen}"
        return page_url(name) if key is None else key_url(name, key)

    def row_url(self, key: Any) -> str:
        """Return the page of a row, else its form; empty if there is neither."""
        return self.row_url_builder()(key)

    def row_url_builder(self) -> Callable[[Any], str]:
        """Return the function that gives the `row_url` of each key."""
        if self.detail_url_name:
            return url_builder(self.detail_url_name)
        return url_builder(f"{self.slug}-edit") if "edit" in self.roles else lambda key: ""

    def list_url(self, row: Any) -> str:
        """Return the list, filtered by the domain of this row."""
        domain = getattr(row, "domain_id", None)
        return self.url("list") + (f"?{urlencode({'domain': domain})}" if domain else "")
