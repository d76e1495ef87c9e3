"""The queries of the views: active rows only, under the names that older systems use.

An inactive row is left out, and so is every row of an inactive domain. For mailboxes that alone
would do harm: if no alias matches a mailbox's address, its domain's catch-all takes the mail.
Therefore a mailbox is its own target, as in the panel's own maps; under a catch-all even an
inactive one, so that its mail is refused, since no mailbox is found for it.

Vacation replies are not sent: older files do not know the vacation domain, so such targets are
left out.

The older files compare with our columns as they are. Where those are latin1, MariaDB refuses to
compare characters that latin1 lacks: Postfix then defers mail for such an address.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Model

from domains.models import AliasDomain, Domain, DomainState, Transport
from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.queries import build_own_transport_condition

# The alias of each view's row, with a hash of the query: the marker of views made here.
ROW_ALIAS = "mailadmin_compat"
MARKER_RE = re.compile(rf"\b{ROW_ALIAS}_[0-9a-f]{{12}}\b")
HASH_PREFIX_SCHEMES = (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"), ("$", "{CRYPT}"))


class LegacyView(NamedTuple):
    """A table of an older system: its name, what it lists, and old column → our column."""

    name: str
    content: str
    columns: dict[str, str]

    def build_sql(self) -> str:
        """Return the SELECT; the alias of its row holds a hash of it, as a marker."""
        branches = BRANCH_BUILDERS[self.content](ViewSqlBuilder())
        columns = {quote_identifier(old): column for old, column in self.columns.items()}
        sql = " UNION ALL ".join(branch.build_sql(columns) for branch in branches)
        return sql.replace(
            ROW_ALIAS, f"{ROW_ALIAS}_{hashlib.sha256(sql.encode()).hexdigest()[:12]}"
        )


def has_marker(definition: str | None) -> bool:
    """Tell whether this command has made the view with this definition."""
    return bool(MARKER_RE.search(definition or ""))


def find_marker(sql: str) -> str:
    """Return the marker that the definition of such a view contains."""
    match = MARKER_RE.search(sql)
    return match[0] if match else ""


LEGACY_SYSTEMS = {
    "ispmail": (
        LegacyView("virtual_domains", "domains", {"id": "number", "name": "domain"}),
        LegacyView(
            "virtual_users",
            "mailboxes",
            {
                "id": "number",
                "domain_id": "domain_number",
                "password": "password",
                "email": "address",
                "quota": "quota",
            },
        ),
        LegacyView(
            "virtual_aliases",
            "aliases",
            {
                "id": "number",
                "domain_id": "domain_number",
                "source": "address",
                "destination": "targets",
            },
        ),
    ),
    "forwardings": (
        LegacyView("domains", "domains", {"domain": "domain"}),
        LegacyView("forwardings", "aliases", {"source": "address", "destination": "targets"}),
        LegacyView(
            "users", "mailboxes", {"email": "address", "password": "password", "quota": "quota"}
        ),
        LegacyView("transport", "transports", {"domain": "pattern", "transport": "transport"}),
    ),
}


class SelectBranch(NamedTuple):
    """A SELECT: its columns by our names, its tables and its conditions."""

    columns: dict[str, str]
    tables: tuple[str, ...]
    conditions: tuple[str, ...]

    def build_sql(self, names: dict[str, str]) -> str:
        columns = ", ".join(f"{self.columns[column]} AS {old}" for old, column in names.items())
        where = " AND ".join(self.conditions)
        return f"SELECT {columns} FROM {' '.join(self.tables)} WHERE {where}"  # noqa: S608 (our names)


# Parts of queries


class ViewSqlBuilder:
    """Builds the parts of the queries: tables, and joins that find rows by key."""

    def __init__(self) -> None:
        self.dialect = get_dialect()
        self.database = quote_identifier(connection.settings_dict["NAME"])

    def table(self, model: type[Model], name: str = ROW_ALIAS) -> str:
        return f"{self.database}.{quote_identifier(model._meta.db_table)} AS {name}"

    def join(self, model: type[Model], name: str, column: str, value: str, *conditions: str) -> str:
        condition = self._join_condition(model, name, column, value, *conditions)
        return f"JOIN {self.table(model, name)} ON {condition}"

    def left_join(
        self, model: type[Model], name: str, column: str, value: str, *conditions: str
    ) -> str:
        return f"LEFT {self.join(model, name, column, value, *conditions)}"

    def exists(self, model: type[Model], name: str, column: str, value: str) -> str:
        """Test whether the row with this key exists and is active; evaluated only where needed."""
        condition = self._join_condition(model, name, column, value, f"{name}.active = 1")
        return f"EXISTS (SELECT 1 FROM {self.table(model, name)} WHERE {condition})"  # noqa: S608

    def _join_condition(
        self, model: type[Model], name: str, column: str, value: str, *conditions: str
    ) -> str:
        return " AND ".join(
            [self.dialect.equals(f"{name}.{column}", model, column, value), *conditions]
        )

    def join_domain(self, column: str, *conditions: str) -> str:
        """Join the active domain of the row's address, as `place`."""
        domain = f"SUBSTRING_INDEX({ROW_ALIAS}.{column}, '@', -1)"
        return self.join(
            Domain, "place", "domain", domain, *active_domain_conditions("place"), *conditions
        )

    def comparable_column(
        self, model: type[Model], column: str, other_model: type[Model], other_column: str
    ) -> str:
        """Return a column that compares like another.

        It is cast only if it has to be, since no index helps a cast column.
        """
        value, facts = f"{ROW_ALIAS}.{column}", self.dialect.column_facts
        own = facts[model._meta.db_table, column]
        other = facts[other_model._meta.db_table, other_column]
        if (own.charset, own.collation) == (other.charset, other.collation):
            return value
        return self.dialect.cast_to_column(other_model, other_column, value)


def active_domain_conditions(name: str) -> tuple[str, str]:
    return f"{name}.active = 1", f"{name}.domain <> 'ALL'"


def number_expression(expression: str) -> str:
    """Return a stable number computed from the name: 60 bits of its MD5.

    Among 200,000 names, two of one number are as likely as one in fifty million.
    """
    name = f"LOWER(CONVERT({expression} USING utf8mb4))"
    return f"CAST(CONV(LEFT(MD5({name}), 15), 16, 10) AS UNSIGNED)"


def utf8mb4_expression(expression: str) -> str:
    """Convert to a charset that fits the other branches; for columns that nobody searches."""
    return f"CONVERT({expression} USING utf8mb4)"


def targets_expression() -> str:
    """Return the targets without the vacation's; an alias without others points to itself."""
    domain = settings.MAILADMIN_VACATION_DOMAIN.replace(".", "[.]")
    vacation = f"(^|,)[[:space:]]*[^,]*@{domain}[[:space:]]*(?=,|$)"
    other_targets = f"TRIM(BOTH ',' FROM REGEXP_REPLACE({ROW_ALIAS}.goto, '{vacation}', ''))"
    return f"COALESCE(NULLIF({other_targets}, ''), {ROW_ALIAS}.address)"


def password_expression() -> str:
    """Return the hash with its scheme, whatever default the older Dovecot has."""
    cases = " ".join(
        f"WHEN LEFT({ROW_ALIAS}.password, {len(prefix)}) = '{prefix}'"
        f" THEN CONCAT('{scheme}', {ROW_ALIAS}.password)"
        for prefix, scheme in HASH_PREFIX_SCHEMES
    )
    return f"CASE {cases} ELSE {ROW_ALIAS}.password END"


# Contents of the views


def domain_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    name = f"{ROW_ALIAS}.domain"
    yield SelectBranch(
        {"number": number_expression(name), "domain": name},
        (builder.table(Domain),),
        (*active_domain_conditions(ROW_ALIAS), f"{ROW_ALIAS}.backupmx = 0"),
    )


def mailbox_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    yield SelectBranch(
        {
            "number": number_expression(f"{ROW_ALIAS}.username"),
            "domain_number": number_expression("place.domain"),
            "address": f"{ROW_ALIAS}.username",
            "password": password_expression(),
            "quota": builder.dialect.non_negative(f"{ROW_ALIAS}.quota"),
        },
        (builder.table(Mailbox), builder.join_domain("username", "place.backupmx = 0")),
        (f"{ROW_ALIAS}.active = 1",),
    )


def alias_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    """Yield aliases, mailboxes without an active alias, and alias domains as `@alias → @target`.

    No address is listed twice, since Postfix would join the answers.
    """
    yield from (
        explicit_alias_branch(builder),
        mailbox_target_branch(builder),
        alias_domain_branch(builder),
    )


def explicit_alias_branch(builder: ViewSqlBuilder) -> SelectBranch:
    return SelectBranch(
        alias_columns(f"{ROW_ALIAS}.address", targets_expression()),
        (builder.table(Alias), builder.join_domain("address")),
        (f"{ROW_ALIAS}.active = 1", f"{ROW_ALIAS}.goto <> ''"),
    )


def mailbox_target_branch(builder: ViewSqlBuilder) -> SelectBranch:
    """Select active mailboxes, and those whose mail a catch-all or an alias domain would take."""
    at_place = builder.dialect.concat("'@'", "place.domain")
    takers = (
        f"{ROW_ALIAS}.active = 1",
        builder.exists(Alias, "everybody", "address", at_place),
        builder.exists(AliasDomain, "mirror", "alias_domain", "place.domain"),
    )
    return SelectBranch(
        alias_columns(
            builder.comparable_column(Mailbox, "username", Alias, "address"),
            f"{ROW_ALIAS}.username",
        ),
        (
            builder.table(Mailbox),
            builder.join_domain("username"),
            left_join_own_alias(builder, f"{ROW_ALIAS}.username"),
        ),
        ("own.address IS NULL", f"({' OR '.join(takers)})"),
    )


def alias_domain_branch(builder: ViewSqlBuilder) -> SelectBranch:
    """Select alias domains, except those with a catch-all of their own."""
    address = builder.comparable_column(DomainState, "at_domain", Alias, "address")
    mirror = builder.join(
        AliasDomain, "mirror", "alias_domain", f"{ROW_ALIAS}.domain", "mirror.active = 1"
    )
    return SelectBranch(
        alias_columns(address, builder.dialect.concat("'@'", "mirror.target_domain")),
        (
            builder.table(DomainState),
            mirror,
            builder.join(
                Domain, "place", "domain", f"{ROW_ALIAS}.domain", *active_domain_conditions("place")
            ),
            builder.join(
                Domain,
                "target",
                "domain",
                "mirror.target_domain",
                *active_domain_conditions("target"),
            ),
            left_join_own_alias(builder, f"{ROW_ALIAS}.at_domain"),
        ),
        ("own.address IS NULL",),
    )


def alias_columns(address: str, goto: str) -> dict[str, str]:
    return {
        "number": number_expression(address),
        "domain_number": number_expression("place.domain"),
        "address": address,
        "targets": utf8mb4_expression(goto),
    }


def left_join_own_alias(builder: ViewSqlBuilder, address: str) -> str:
    """Join the active alias with this address, as `own`."""
    return builder.left_join(Alias, "own", "address", address, "own.active = 1", "own.goto <> ''")


def transport_branches(builder: ViewSqlBuilder) -> Iterator[SelectBranch]:
    """Yield the transport table; for other keys, transports of domains that are not the default."""
    yield SelectBranch(
        {
            "pattern": f"{ROW_ALIAS}.pattern",
            "transport": utf8mb4_expression(f"{ROW_ALIAS}.transport"),
        },
        (builder.table(Transport),),
        (f"{ROW_ALIAS}.active = 1",),
    )
    domain = builder.comparable_column(Domain, "domain", Transport, "pattern")
    yield SelectBranch(
        {"pattern": domain, "transport": utf8mb4_expression(f"{ROW_ALIAS}.transport")},
        (
            builder.table(Domain),
            builder.left_join(Transport, "own", "pattern", f"{ROW_ALIAS}.domain", "own.active = 1"),
        ),
        (
            *active_domain_conditions(ROW_ALIAS),
            build_own_transport_condition(f"{ROW_ALIAS}.transport"),
            "own.pattern IS NULL",
        ),
    )


BRANCH_BUILDERS = {
    "domains": domain_branches,
    "mailboxes": mailbox_branches,
    "aliases": alias_branches,
    "transports": transport_branches,
}
