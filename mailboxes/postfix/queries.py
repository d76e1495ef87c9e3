"""Parts of the mail server's queries, and how Postfix and the panel's own cursors take them.

A query is kept in parts, so that the tracer can also say which row would have answered, and why
it did not. Placeholders are `:key` (Postfix's %s, Dovecot's %u), `:domain` (%d, what follows the
last @), `:service`, `:digest` (of the password) and `:base`.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from domains.models import AliasDomain, Domain
from domains.patterns import DEFAULT_TRANSPORTS
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.postfix.dialects import SQLDialect

PLACEHOLDER_RE = re.compile(r":(key|domain|service|digest|base)\b")
# Of models with a generated key: the column that names a row
NAME_COLUMNS: dict[type[Model], str] = {SenderPermission: "address"}
TARGET_DOMAIN = "aliasdomain.target_domain"
POSTFIX_PLACEHOLDERS = {"key": "'%s'", "domain": "'%d'"}

# A condition, and why a row that does not meet it is inactive, if that is worth a message.
Condition = tuple[str, str | Promise]
Conditions = tuple[Condition, ...]
HAS_TARGETS_CONDITION = ("alias.goto <> ''", _("the alias has no targets"))


class LookupSelect(NamedTuple):
    """A SELECT that answers with one column of an active row."""

    model: type[Model]  # whose row answers
    answer: str
    source: str  # tables
    where: tuple[str, ...]  # finds the row
    active_if: Conditions  # must be met by an active row
    for_other_keys: bool = False  # it answers for keys that do not name the row

    @property
    def model_name(self) -> str:
        """Return the name under which the query has the model's table."""
        return str(self.model._meta.model_name)

    @property
    def key_column(self) -> str:
        column = NAME_COLUMNS.get(self.model) or self.model._meta.pk.column
        return f"{self.model_name}.{column}"

    def sql(self) -> str:
        return self._select([self.answer], (*self.where, *(sql for sql, _reason in self.active_if)))

    def trace_sql(self) -> str:
        """Return a query of inactive rows too, with the outcome of each condition."""
        columns = [self.answer, self.key_column, *(sql for sql, _reason in self.active_if)]
        return self._select(columns, self.where)

    def _select(self, columns: list[str], conditions: tuple[str, ...]) -> str:
        where = "\n  AND ".join(conditions)
        return f"SELECT {', '.join(columns)}\nFROM {self.source}\nWHERE {where}"


class PostfixMap(NamedTuple):
    """A lookup table: its purpose, the parameter of main.cf that uses it, and its query."""

    name: str
    parameter: str
    title: str | Promise
    parts: tuple[LookupSelect, ...]
    union: str = "UNION ALL"  # duplicates do no harm, and dropping them takes a table on disk

    def sql(self) -> str:
        return f"\n{self.union} ".join(part.sql() for part in self.parts)


def render_placeholders(sql: str, placeholders: dict[str, str]) -> str:
    return PLACEHOLDER_RE.sub(lambda match: placeholders[match[1]], sql.replace("%", "%%"))


def render_for_postfix(sql: str) -> str:
    return render_placeholders(sql, POSTFIX_PLACEHOLDERS)


def is_queried_for_key(sql: str, key: str) -> bool:
    """Check that the key has a domain if the query needs one: otherwise Postfix skips it."""
    return ":domain" not in sql or ("@" in key and not key.endswith("@"))


def bind_parameters(sql: str, key: str) -> tuple[str, list[str]]:
    """Return the query and its parameters, as Django's cursors take them."""
    values = {"key": key, "domain": key.rpartition("@")[2]}
    parameters = [values[name] for name in PLACEHOLDER_RE.findall(sql)]
    return PLACEHOLDER_RE.sub("%s", sql.replace("%", "%%")), parameters


def run_query(sql: str, key: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(*bind_parameters(sql, key))
        return cursor.fetchall()


def build_own_transport_condition(column: str) -> str:
    """Return the condition that a domain has a transport other than the usual delivery."""
    names = ", ".join(f"'{name}'" for name in DEFAULT_TRANSPORTS)
    return f"{column} NOT IN ({names})"


class QueryBuilder:
    """Build the conditions of queries: which row is found, and when it is active."""

    def __init__(self, dialect: SQLDialect) -> None:
        self.dialect = dialect

    def equals(self, model: type[Model], column: str, expression: str = ":key") -> str:
        name = f"{model._meta.model_name}.{column}"
        return self.dialect.equals(name, model, column, expression)

    def key_conditions(
        self, model: type[Model], column: str, expression: str = ":key"
    ) -> tuple[str, ...]:
        return self.equals(model, column, expression), *self.dialect.ascii_conditions(":key")

    def active(self, name: str) -> Condition:
        return f"{name}.active = 1", INACTIVE_REASONS[name]

    def active_domain(
        self, domain: str = ":domain", name: str = "place", backup_mx: bool | None = None
    ) -> Condition:
        """Return the condition that a domain is active, and a backup MX or none if given."""
        kind = "" if backup_mx is None else f" AND {name}.backupmx = {int(backup_mx)}"
        condition = (
            f"EXISTS (SELECT 1 FROM {self.dialect.table(Domain, name)}"
            f" WHERE {self.dialect.equals(f'{name}.domain', Domain, 'domain', domain)}"
            f" AND {name}.active = 1{kind})"
        )
        return condition, _("the domain is inactive, missing or of another kind")

    def exists(self, model: type[Model], column: str, expression: str, *conditions: str) -> str:
        table = self.dialect.table(model, "other")
        equality = self.dialect.equals(f"other.{column}", model, column, expression)
        where = " AND ".join([equality, *conditions])
        return f"EXISTS (SELECT 1 FROM {table} WHERE {where})"

    def not_exists(self, model: type[Model], column: str, expression: str, *conditions: str) -> str:
        return f"NOT {self.exists(model, column, expression, *conditions)}"

    def select(
        self,
        model: type[Model],
        column: str,
        answer: str,
        active_if: Conditions,
        by_alias_domain: bool = False,
    ) -> LookupSelect:
        """Return the part that finds a row by its address, or by that in an alias domain."""
        if by_alias_domain:
            return self._select_by_alias_domain(model, column, answer, active_if)
        source, where = self.dialect.table(model), self.key_conditions(model, column)
        return LookupSelect(model, answer, source, where, (*active_if, self.active_domain()))

    def select_of_domain(
        self,
        model: type[Model],
        answer: str,
        active_if: Conditions,
        by_alias_domain: bool,
        with_key: bool,
    ) -> LookupSelect:
        """Return the part that finds `@domain` by any address in it, and perhaps the address."""
        domain = TARGET_DOMAIN if by_alias_domain else ":domain"
        key = self.dialect.key_at_domain(TARGET_DOMAIN) if by_alias_domain else ":key"
        names = [*([key] if with_key else []), self.dialect.concat("'@'", domain)]
        column = f"{model._meta.model_name}.address"
        found = self.dialect.is_one_of(column, model, "address", *names)
        if by_alias_domain:
            part = self._join_alias_domain(model, answer, active_if, found)
        else:
            where = (found, *self.dialect.ascii_conditions(":key"))
            active_if = (*active_if, self.active_domain())
            part = LookupSelect(model, answer, self.dialect.table(model), where, active_if)
        return part._replace(for_other_keys=True)

    def _select_by_alias_domain(
        self, model: type[Model], column: str, answer: str, active_if: Conditions
    ) -> LookupSelect:
        found = self.equals(model, column, self.dialect.key_at_domain(TARGET_DOMAIN))
        return self._join_alias_domain(model, answer, active_if, found)

    def _join_alias_domain(
        self, model: type[Model], answer: str, active_if: Conditions, found: str
    ) -> LookupSelect:
        """Require that the alias domain, its own domain row and its target are active."""
        source = f"{self.dialect.table(AliasDomain)} JOIN {self.dialect.table(model)} ON {found}"
        where = self.key_conditions(AliasDomain, "alias_domain", ":domain")
        own, other = self.active_domain(), self.active_domain(TARGET_DOMAIN, "target")
        active_if = (*active_if, self.active("aliasdomain"), own, other)
        return LookupSelect(model, answer, source, where, active_if)

    def exists_in_target(self, condition: str) -> str:
        """Return the condition on the key's address in the target of an active alias domain."""
        found = self.equals(AliasDomain, "alias_domain", ":domain")
        is_active, _reason = self.active_domain(TARGET_DOMAIN, "target")
        return (
            f"EXISTS (SELECT 1 FROM {self.dialect.table(AliasDomain)} WHERE {found}"
            f" AND aliasdomain.active = 1 AND {is_active} AND {condition})"
        )


def iter_key_expressions(builder: QueryBuilder) -> Iterator[tuple[str, Conditions]]:
    """Yield the key, and the same address in the target of its alias domain.

    The latter with conditions: rows of the key itself come first.
    """
    yield ":key", ()
    unclaimed = (
        builder.not_exists(Mailbox, "username", ":key"),
        builder.not_exists(Alias, "address", ":key", "other.active = 1"),
    )
    address = builder.dialect.key_at_domain(TARGET_DOMAIN)
    yield address, tuple((condition, "") for condition in unclaimed)


INACTIVE_REASONS = {
    "alias": _("the alias is inactive"),
    "mailbox": _("the mailbox is inactive"),
    "domain": _("the domain is inactive"),
    "aliasdomain": _("the alias domain is inactive"),
    "transport": _("the transport is inactive"),
    "senderpermission": _("the sender permission is inactive"),
}
