"""Keys in upper case, and those that differ only in case."""

import functools
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.models import (
    BooleanField,
    Exists,
    F,
    ForeignObjectRel,
    Func,
    Model,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.functions import Lower
from django.db.models.lookups import In
from django.db.models.sql.compiler import SQLCompiler

from domains.models import Admin, AliasDomain, Domain
from mailadmin.db.bulk import chunks
from mailadmin.db.compared_columns import get_column_facts
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.checks import (
    CheckedRows,
    IntegrityCheck,
    PlannedChange,
    Problem,
    get_domain,
    in_domain_by,
)
from mailboxes.models import Alias, Mailbox

SPELLING = _("Spelling")
KEY_ROWS = [
    CheckedRows(Domain, "domain", in_domain_by("domain"), ~Q(domain="ALL")),
    CheckedRows(AliasDomain, "alias_domain_id", in_domain_by("alias_domain")),
    CheckedRows(Mailbox, "username", in_domain_by("domain")),
    CheckedRows(Alias, "address", in_domain_by("domain")),
    CheckedRows(Admin, "username"),
]
URL_NAMES: dict[type[Model], str] = {
    Domain: "domain",
    AliasDomain: "alias-domains-edit",
    Mailbox: "mailbox",
    Alias: "alias",
    Admin: "admin",
}


class HasUpperCase(Func):
    """Whether a text has letters in upper case, whatever the collation of its column."""

    template = "%(expressions)s <> LOWER(%(expressions)s)"
    output_field = BooleanField()

    def as_mysql(self, compiler: SQLCompiler, connection: Any) -> Any:
        template = "CAST(%(expressions)s AS BINARY) <> CAST(LOWER(%(expressions)s) AS BINARY)"
        return self.as_sql(compiler, connection, template=template)


def list_upper_case(rows: QuerySet, column: str) -> list[str]:
    """Return the keys with letters in upper case, in order."""
    return list(rows.filter(HasUpperCase(F(column))).values_list(column, flat=True))


def count_spellings(model: type[Model], keys: list[str]) -> Counter[str]:
    """Return how many keys of the table there are for each of these when the case is ignored.

    Where the database ignores it too, there is one of each.
    """
    if is_case_ignored(model):
        return Counter(fold(key) for key in keys)
    found: Counter[str] = Counter()
    for part in chunks({fold(key) for key in keys}):
        rows = model._base_manager.annotate(folded=Lower("pk")).filter(folded__in=part)
        found.update(fold(key) for key in rows.values_list("pk", flat=True))
    return found


def is_case_ignored(model: type[Model]) -> bool:
    """Return whether the database takes keys for the same that differ only in case."""
    collation = get_column_facts(model._meta.pk, "default").collation or ""
    return connections["default"].vendor == "mysql" and collation.endswith("_ci")


def find_spellings(doubled: bool, text: Any, rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the keys in upper case: those that exist in another spelling too, or the others."""
    model = rows.model
    keys = list_upper_case(rows, model._meta.pk.attname)
    counts = count_spellings(model, keys) if keys else Counter()
    for key in keys:
        if (counts[fold(key)] > 1) is doubled:
            domain = "" if model is Admin else get_domain(key)
            yield Problem(key, text, domain, key_url(URL_NAMES[model], key))


LOG_ACTIONS: dict[type[Model], str] = {
    Domain: "edit_domain",
    AliasDomain: "edit_alias_domain",
    Mailbox: "edit_mailbox",
    Alias: "edit_alias",
    Admin: "edit_admin",
}


def plan_lower_case(rows: QuerySet) -> list[PlannedChange]:
    """Plan to have the keys in lower case."""
    action, column = LOG_ACTIONS[rows.model], rows.model._meta.pk.attname
    planned = []
    for row in rows:
        key = fold(row.pk)
        domain = "" if rows.model is Admin else get_domain(key)
        planned.append(PlannedChange("edit", row, {column: key}, action, domain, key))
    return planned


def rename_references(model: type[Model], keys: list[str]) -> None:
    """Have the rows that point to keys follow them into lower case.

    Where the database ignores the case, they point to them in any case. A row is left as it is if
    there is one of the new name already.
    """
    if is_case_ignored(model):
        return
    for relation in model._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel) and relation.model is model:
            follow_key(relation.field, keys)


def follow_key(column: Any, keys: list[str]) -> None:
    rows = column.model._base_manager.filter(In(F(column.attname), keys))
    if column.unique:
        taken = column.model._base_manager.filter(pk=Lower(OuterRef(column.attname)))
        rows = rows.filter(~Exists(taken))
    for part in chunks(list(rows.values_list(column.attname, flat=True).distinct())):
        of_part = column.model._base_manager.filter(In(F(column.attname), part))
        of_part.update(**{column.name: Lower(column.attname)})


SPELLING_CHECKS = (
    IntegrityCheck(
        "case-double",
        SPELLING,
        _("Names that differ only in upper and lower case"),
        _("It depends on the program which of them it finds."),
        KEY_ROWS,
        functools.partial(find_spellings, True, _("It exists in another spelling too.")),
        decision=_("Delete one of them."),
    ),
    IntegrityCheck(
        "upper-case",
        SPELLING,
        _("Names in upper case"),
        _("PostfixAdmin and Dovecot look up names in lower case, and may not find them."),
        KEY_ROWS,
        functools.partial(find_spellings, False, _("It has letters in upper case.")),
        plan_lower_case,
        _("Write the names in lower case."),
    ),
)
