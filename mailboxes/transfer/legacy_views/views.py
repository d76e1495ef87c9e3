"""What the views say: only what is in force, under the names that older systems gave it.

A row that is switched off does not answer, nor does any in a domain that is. With mailboxes that
alone would do harm: where no alias answers for the address of one, its domain's catch-all takes
the mail. Hence a mailbox is its own target, as it is in the panel's own maps; and where one is
switched off under a catch-all, mail is refused after all, since no mailbox is found for it.

Nobody is answered in his absence, for older files do not know the domain of vacations: such targets
are left out.

The older files compare with our columns as they are, and where those are latin1, MariaDB refuses to
compare letters that latin1 lacks: to mail for such an address, Postfix then says “try again later”.
"""

import hashlib
import re
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from domains.models import AliasDomain, Domain, DomainState, Transport
from mailboxes.mailserver.generator.accounts import quote_identifier
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.dialects import get_dialect

ROW_ALIAS = (
    "mailadmin_compat"  # what each view calls its row, with a number: by this we know it again
)
MARKER_RE = re.compile(rf"\b{ROW_ALIAS}_[0-9a-f]{{12}}\b")
HASH_PREFIX_SCHEMES = (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"), ("$", "{CRYPT}"))


class LegacyView(NamedTuple):
    """An old table: its name, what it lists, and its columns with what we call them."""

    name: str
    lists: str
    columns: dict[str, str]

    def sql(self):
        """What it selects; its row's name tells this wording from every other."""
        branches = BRANCH_BUILDERS[self.lists](ViewSqlBuilder())
        wanted = {quote_identifier(old): ours for old, ours in self.columns.items()}
        text = " UNION ALL ".join(branch.sql(wanted) for branch in branches)
        return text.replace(
            ROW_ALIAS, f"{ROW_ALIAS}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        )


def has_marker(definition):
    """Whether this command has made the view that is defined so."""
    return bool(MARKER_RE.search(definition or ""))


def find_marker(sql):
    """What is in a view's definition if that is the same."""
    return MARKER_RE.search(sql)[0]


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
    """A SELECT: columns by our names, tables, conditions."""

    columns: dict[str, str]
    tables: tuple[str, ...]
    conditions: tuple[str, ...]

    def sql(self, wanted):
        columns = ", ".join(f"{self.columns[ours]} AS {old}" for old, ours in wanted.items())
        where = " AND ".join(self.conditions)
        return f"SELECT {columns} FROM {' '.join(self.tables)} WHERE {where}"  # noqa: S608 (our names)


# Wording


class ViewSqlBuilder:
    """How tables are named and joined, so that every row is found by its key."""

    def __init__(self):
        self.dialect = get_dialect()
        self.database = quote_identifier(connection.settings_dict["NAME"])

    def table(self, model, name=ROW_ALIAS):
        return f"{self.database}.{quote_identifier(model._meta.db_table)} AS {name}"

    def join(self, model, name, column, value, *more):
        return f"JOIN {self.table(model, name)} ON {self._found(model, name, column, value, *more)}"

    def left_join(self, model, name, column, value, *more):
        return f"LEFT {self.join(model, name, column, value, *more)}"

    def exists(self, model, name, column, value):
        """Whether the row of this key is there and switched on; asked only where it matters."""
        found = self._found(model, name, column, value, f"{name}.active = 1")
        return f"EXISTS (SELECT 1 FROM {self.table(model, name)} WHERE {found})"  # noqa: S608

    def _found(self, model, name, column, value, *more):
        return " AND ".join([self.dialect.holds(f"{name}.{column}", model, column, value), *more])

    def place(self, column, *more):
        """The domain of the row's address, which is switched on."""
        domain = f"SUBSTRING_INDEX({ROW_ALIAS}.{column}, '@', -1)"
        return self.join(
            Domain, "place", "domain", domain, *active_domain_conditions("place"), *more
        )

    def comparable_column(self, model, column, of, name):
        """A column as it is, if it compares as the other does: else no index helps."""
        value, facts = f"{ROW_ALIAS}.{column}", self.dialect.column_facts
        mine, other = facts[model._meta.db_table, column], facts[of._meta.db_table, name]
        return (
            value
            if mine == other._replace(kind=mine.kind)
            else self.dialect.cast_to_column(of, name, value)
        )


def active_domain_conditions(name):
    return f"{name}.active = 1", f"{name}.domain <> 'ALL'"


def number_expression(text):
    """A number made of the name alone, so that it stays: 60 bits of the name's MD5.

    Among 200,000 names, two of one number are as likely as one in fifty million.
    """
    name = f"LOWER(CONVERT({text} USING utf8mb4))"
    return f"CAST(CONV(LEFT(MD5({name}), 15), 16, 10) AS UNSIGNED)"


def utf8mb4_expression(text):
    """In letters that fit those of the other branches, where nobody looks for the text."""
    return f"CONVERT({text} USING utf8mb4)"


def targets_expression():
    """Without the vacation's; who has no other is his own."""
    domain = settings.MAILADMIN_VACATION_DOMAIN.replace(".", "[.]")
    vacation = f"(^|,)[[:space:]]*[^,]*@{domain}[[:space:]]*(?=,|$)"
    others = f"TRIM(BOTH ',' FROM REGEXP_REPLACE({ROW_ALIAS}.goto, '{vacation}', ''))"
    return f"COALESCE(NULLIF({others}, ''), {ROW_ALIAS}.address)"


def password_expression():
    """With its scheme, whatever the older Dovecot takes for granted."""
    cases = " ".join(
        f"WHEN LEFT({ROW_ALIAS}.password, {len(shape)}) = '{shape}'"
        f" THEN CONCAT('{scheme}', {ROW_ALIAS}.password)"
        for shape, scheme in HASH_PREFIX_SCHEMES
    )
    return f"CASE {cases} ELSE {ROW_ALIAS}.password END"


# Lists


def domain_branches(wording):
    name = f"{ROW_ALIAS}.domain"
    yield SelectBranch(
        {"number": number_expression(name), "domain": name},
        (wording.table(Domain),),
        (*active_domain_conditions(ROW_ALIAS), f"{ROW_ALIAS}.backupmx = 0"),
    )


def mailbox_branches(wording):
    yield SelectBranch(
        {
            "number": number_expression(f"{ROW_ALIAS}.username"),
            "domain_number": number_expression("place.domain"),
            "address": f"{ROW_ALIAS}.username",
            "password": password_expression(),
            "quota": wording.dialect.non_negative(f"{ROW_ALIAS}.quota"),
        },
        (wording.table(Mailbox), wording.place("username", "place.backupmx = 0")),
        (f"{ROW_ALIAS}.active = 1",),
    )


def alias_branches(wording):
    """Aliases, mailboxes for which none of them answers, and alias domains as `@mirror → @target`.

    No address is listed twice, since Postfix would join the answers.
    """
    yield from (
        explicit_alias_branch(wording),
        mailbox_target_branch(wording),
        alias_domain_branch(wording),
    )


def explicit_alias_branch(wording):
    return SelectBranch(
        alias_columns(f"{ROW_ALIAS}.address", targets_expression()),
        (wording.table(Alias), wording.place("address")),
        (f"{ROW_ALIAS}.active = 1", f"{ROW_ALIAS}.goto <> ''"),
    )


def mailbox_target_branch(wording):
    """Those who get mail, and those whose mail a catch-all or an alias domain would take."""
    at_place = wording.dialect.joined("'@'", "place.domain")
    takers = (
        f"{ROW_ALIAS}.active = 1",
        wording.exists(Alias, "everybody", "address", at_place),
        wording.exists(AliasDomain, "mirror", "alias_domain", "place.domain"),
    )
    return SelectBranch(
        alias_columns(
            wording.comparable_column(Mailbox, "username", Alias, "address"),
            f"{ROW_ALIAS}.username",
        ),
        (
            wording.table(Mailbox),
            wording.place("username"),
            left_join_own_alias(wording, f"{ROW_ALIAS}.username"),
        ),
        ("own.address IS NULL", f"({' OR '.join(takers)})"),
    )


def alias_domain_branch(wording):
    """Unless the alias domain has a catch-all of its own."""
    address = wording.comparable_column(DomainState, "at_domain", Alias, "address")
    mirror = wording.join(
        AliasDomain, "mirror", "alias_domain", f"{ROW_ALIAS}.domain", "mirror.active = 1"
    )
    return SelectBranch(
        alias_columns(address, wording.dialect.joined("'@'", "mirror.target_domain")),
        (
            wording.table(DomainState),
            mirror,
            wording.join(
                Domain, "place", "domain", f"{ROW_ALIAS}.domain", *active_domain_conditions("place")
            ),
            wording.join(
                Domain,
                "target",
                "domain",
                "mirror.target_domain",
                *active_domain_conditions("target"),
            ),
            left_join_own_alias(wording, f"{ROW_ALIAS}.at_domain"),
        ),
        ("own.address IS NULL",),
    )


def alias_columns(address, goto):
    return {
        "number": number_expression(address),
        "domain_number": number_expression("place.domain"),
        "address": address,
        "targets": utf8mb4_expression(goto),
    }


def left_join_own_alias(wording, address):
    """The alias that answers first, if there is one."""
    return wording.left_join(Alias, "own", "address", address, "own.active = 1", "own.goto <> ''")


def transport_branches(wording):
    """Rows of the transport table; for other keys, what domains say that is not the usual."""
    yield SelectBranch(
        {
            "pattern": f"{ROW_ALIAS}.pattern",
            "transport": utf8mb4_expression(f"{ROW_ALIAS}.transport"),
        },
        (wording.table(Transport),),
        (f"{ROW_ALIAS}.active = 1",),
    )
    domain = wording.comparable_column(Domain, "domain", Transport, "pattern")
    yield SelectBranch(
        {"pattern": domain, "transport": utf8mb4_expression(f"{ROW_ALIAS}.transport")},
        (
            wording.table(Domain),
            wording.left_join(Transport, "own", "pattern", f"{ROW_ALIAS}.domain", "own.active = 1"),
        ),
        (
            *active_domain_conditions(ROW_ALIAS),
            f"{ROW_ALIAS}.transport NOT IN ('', 'virtual')",
            "own.pattern IS NULL",
        ),
    )


BRANCH_BUILDERS = {
    "domains": domain_branches,
    "mailboxes": mailbox_branches,
    "aliases": alias_branches,
    "transports": transport_branches,
}
