"""What an integrity check consists of: the rows it reads, the problems it finds, and their fix."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Exists, F, Field, Model, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, IEndsWith, In, LessThanOrEqual

from mailadmin import registry
from mailadmin.accounts.models import Role, VisibleQuerySet, visible_rows
from mailadmin.changes.models import Change
from mailadmin.changes.records import (
    changed_values,
    created_values,
    deleted_values,
    format_row_key,
)
from mailadmin.db.column_facts import fits_column
from mailadmin.db.compared_columns import AsColumn, have_same_collation
from mailadmin.tables.actions import Text

BIGINT_BITS = 63
WINDOW = 10_000  # rows that are read by one query


@dataclass(frozen=True)
class Problem:
    """A contradiction that a check has found; the key is the value of the column it reads by."""

    key: str
    text: Text
    domain: str = ""
    url: str = ""  # of the page where a person can look at the row


@dataclass(frozen=True)
class PlannedChange:
    """A change that fixes a problem, shown before it is made; with the line it adds to the log."""

    verb: str
    row: Any
    values: dict[str, Any] = field(default_factory=dict)
    action: str = ""
    log_domain: str = ""
    log_key: str = ""

    def build_record(self) -> Change:
        """Return the change record, not stored, that shows the values before and after."""
        values = {
            "create": lambda: created_values(self.row),
            "edit": lambda: changed_values(self.row, self.values),
            "delete": lambda: deleted_values(self.row),
        }[self.verb]()
        table = str(self.row._meta.model_name)
        return Change(verb=self.verb, table=table, key=format_row_key(self.row), values=values)


@dataclass(frozen=True)
class CheckedRows:
    """The rows that a check reads, in the order of a column that is no relation."""

    model: type[Model]
    column: str
    domain_filter: Callable[[str], Q] | None = None  # none: the rows belong to no domain
    condition: Q = field(default_factory=Q)
    window: int = WINDOW

    def select(self, principal: Any, domain: str = "") -> QuerySet:
        """Return the rows in scope: for superadmins also those that belong to nobody any more."""
        rows = self.select_visible(principal).filter(self.condition)
        rows = rows.exclude(**{f"{self.column}__isnull": True})
        if domain:
            if self.domain_filter is None or not domain.isascii():
                return rows.none()
            rows = rows.filter(self.domain_filter(domain))
        return rows.order_by(self.column)

    def select_visible(self, principal: Any) -> QuerySet:
        if principal.role is Role.SUPERADMIN:
            return self.model._base_manager.all()
        if isinstance(self.model._default_manager.none(), VisibleQuerySet):
            return visible_rows(self.model, principal)
        return self.model._base_manager.none()

    # Not by the column's own lookups, which find nothing by a key that is not ASCII

    def after(self, rows: QuerySet, key: str) -> QuerySet:
        value = self.parse(key) if key else None
        return rows if value is None else rows.filter(GreaterThan(F(self.column), value))

    def until(self, rows: QuerySet, key: str) -> QuerySet:
        return rows.filter(LessThanOrEqual(F(self.column), self.parse(key)))

    def of_keys(self, rows: QuerySet, keys: Iterable[str]) -> QuerySet:
        values = [value for value in map(self.parse, keys) if value is not None]
        return rows.filter(In(F(self.column), values))

    def parse(self, key: str) -> Any:
        """Return a key as the column has it; None if it cannot hold it."""
        column: Any = self.model._meta.get_field(self.column)
        try:
            value = getattr(column, "target_field", column).to_python(key)
        except ValidationError:
            return None
        is_too_large = isinstance(value, int) and value.bit_length() > BIGINT_BITS
        return value if fits_column(column, value) and not is_too_large else None


FindProblems = Callable[[QuerySet, Any], Iterable[Problem]]


@dataclass(frozen=True)
class IntegrityCheck:
    """A kind of contradiction.

    `find` returns the problems among some rows in their order, for a principal. `plan` returns what
    is changed to fix them; without it a person must decide, as `decision` says.
    """

    name: str
    group: Text
    title: Text
    explanation: Text
    sources: Sequence[CheckedRows]
    find: FindProblems
    plan: Callable[[QuerySet], list[PlannedChange]] | None = None
    fix_text: Text = ""
    decision: Text = ""
    roles: Role = Role.ADMINS

    @property
    def is_fixable(self) -> bool:
        return self.plan is not None

    def require_role(self, principal: Any) -> None:
        if principal.role not in self.roles:
            raise PermissionDenied


def has_parent(column: Field, parent: type[Model]) -> Exists:
    """Return whether the row that a column names exists."""
    return Exists(parent._base_manager.filter(pk=outer_value(column, parent._meta.pk)))


def outer_value(column: Any, compared: Any) -> Any:
    """Return a column of the outer query, to be compared with another, whatever their collations.

    Indexes of the other column are used in any case.
    """
    value = OuterRef(column.attname)
    return value if have_same_collation(column, compared) else AsColumn(value, compared)


def build_list_url(slug: str, domain: str) -> str:
    """Return the URL of the list of a domain's rows."""
    return f"{registry.tables[slug].url('list')}?{urlencode({'domain': domain})}"


def get_domain(key: str) -> str:
    """Return the domain of an address; that of a domain is itself."""
    return key.rpartition("@")[2]


def in_domain_by(name: str) -> Callable[[str], Q]:
    """Return the filter for rows whose column holds a domain."""
    return lambda domain: Q(**{name: domain})


def in_domain_by_address(name: str) -> Callable[[str], Q]:
    """Return the filter for rows whose column holds an address; it may be a key."""
    return lambda domain: Q(IEndsWith(F(name), f"@{domain}"))
