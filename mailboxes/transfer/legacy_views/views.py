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
from mailboxes.mailserver.generator.accounts import quoted
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.dialects import dialect

ROW = "mailadmin_compat"  # what each view calls its row, with a number: by this we know it again
MARK = re.compile(rf"\b{ROW}_[0-9a-f]{{12}}\b")
SCHEMES = (("$argon2id$", "{ARGON2ID}"), ("$argon2i$", "{ARGON2I}"), ("$", "{CRYPT}"))


class View(NamedTuple):
    """An old table: its name, what it lists, and its columns with what we call them."""

    name: str
    lists: str
    columns: dict[str, str]

    def sql(self):
        """What it selects; its row's name tells this wording from every other."""
        branches = LISTS[self.lists](Wording())
        wanted = {quoted(old): ours for old, ours in self.columns.items()}
        text = " UNION ALL ".join(branch.sql(wanted) for branch in branches)
        return text.replace(ROW, f"{ROW}_{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def is_ours(definition):
    """Whether this command has made the view that is defined so."""
    return bool(MARK.search(definition or ""))


def mark_of(sql):
    """What is in a view's definition if that is the same."""
    return MARK.search(sql)[0]


SYSTEMS = {
    "ispmail": (
        View("virtual_domains", "domains", {"id": "number", "name": "domain"}),
        View(
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
        View(
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
        View("domains", "domains", {"domain": "domain"}),
        View("forwardings", "aliases", {"source": "address", "destination": "targets"}),
        View("users", "mailboxes", {"email": "address", "password": "password", "quota": "quota"}),
        View("transport", "transports", {"domain": "pattern", "transport": "transport"}),
    ),
}


class Branch(NamedTuple):
    """A SELECT: columns by our names, tables, conditions."""

    columns: dict[str, str]
    tables: tuple[str, ...]
    conditions: tuple[str, ...]

    def sql(self, wanted):
        columns = ", ".join(f"{self.columns[ours]} AS {old}" for old, ours in wanted.items())
        where = " AND ".join(self.conditions)
        return f"SELECT {columns} FROM {' '.join(self.tables)} WHERE {where}"  # noqa: S608 (our names)


# Wording


class Wording:
    """How tables are named and joined, so that every row is found by its key."""

    def __init__(self):
        self.dialect = dialect()
        self.database = quoted(connection.settings_dict["NAME"])

    def table(self, model, name=ROW):
        return f"{self.database}.{quoted(model._meta.db_table)} AS {name}"

    def join(self, model, name, column, value, *more):
        return f"JOIN {self.table(model, name)} ON {self._found(model, name, column, value, *more)}"

    def perhaps(self, model, name, column, value, *more):
        return f"LEFT {self.join(model, name, column, value, *more)}"

    def exists(self, model, name, column, value):
        """Whether the row of this key is there and switched on; asked only where it matters."""
        found = self._found(model, name, column, value, f"{name}.active = 1")
        return f"EXISTS (SELECT 1 FROM {self.table(model, name)} WHERE {found})"  # noqa: S608

    def _found(self, model, name, column, value, *more):
        return " AND ".join([self.dialect.holds(f"{name}.{column}", model, column, value), *more])

    def place(self, column, *more):
        """The domain of the row's address, which is switched on."""
        domain = f"SUBSTRING_INDEX({ROW}.{column}, '@', -1)"
        return self.join(Domain, "place", "domain", domain, *in_force("place"), *more)

    def compared(self, model, column, of, name):
        """A column as it is, if it compares as the other does: else no index helps."""
        value, facts = f"{ROW}.{column}", self.dialect.facts
        mine, other = facts[model._meta.db_table, column], facts[of._meta.db_table, name]
        return (
            value if mine == other._replace(kind=mine.kind) else self.dialect.like(of, name, value)
        )


def in_force(name):
    return f"{name}.active = 1", f"{name}.domain <> 'ALL'"


def number(text):
    """A number made of the name alone, so that it stays: 60 bits of the name's MD5.

    Among 200,000 names, two of one number are as likely as one in fifty million.
    """
    name = f"LOWER(CONVERT({text} USING utf8mb4))"
    return f"CAST(CONV(LEFT(MD5({name}), 15), 16, 10) AS UNSIGNED)"


def spelled(text):
    """In letters that fit those of the other branches, where nobody looks for the text."""
    return f"CONVERT({text} USING utf8mb4)"


def targets():
    """Without the vacation's; who has no other is his own."""
    domain = settings.MAILADMIN_VACATION_DOMAIN.replace(".", "[.]")
    vacation = f"(^|,)[[:space:]]*[^,]*@{domain}[[:space:]]*(?=,|$)"
    others = f"TRIM(BOTH ',' FROM REGEXP_REPLACE({ROW}.goto, '{vacation}', ''))"
    return f"COALESCE(NULLIF({others}, ''), {ROW}.address)"


def password():
    """With its scheme, whatever the older Dovecot takes for granted."""
    cases = " ".join(
        f"WHEN LEFT({ROW}.password, {len(shape)}) = '{shape}'"
        f" THEN CONCAT('{scheme}', {ROW}.password)"
        for shape, scheme in SCHEMES
    )
    return f"CASE {cases} ELSE {ROW}.password END"


# Lists


def domains(wording):
    name = f"{ROW}.domain"
    yield Branch(
        {"number": number(name), "domain": name},
        (wording.table(Domain),),
        (*in_force(ROW), f"{ROW}.backupmx = 0"),
    )


def mailboxes(wording):
    yield Branch(
        {
            "number": number(f"{ROW}.username"),
            "domain_number": number("place.domain"),
            "address": f"{ROW}.username",
            "password": password(),
            "quota": wording.dialect.not_negative(f"{ROW}.quota"),
        },
        (wording.table(Mailbox), wording.place("username", "place.backupmx = 0")),
        (f"{ROW}.active = 1",),
    )


def aliases(wording):
    """Aliases, mailboxes for which none of them answers, and alias domains as `@mirror → @target`.

    No address is listed twice, since Postfix would join the answers.
    """
    yield from (by_alias(wording), by_mailbox(wording), by_mirror(wording))


def by_alias(wording):
    return Branch(
        alias_columns(f"{ROW}.address", targets()),
        (wording.table(Alias), wording.place("address")),
        (f"{ROW}.active = 1", f"{ROW}.goto <> ''"),
    )


def by_mailbox(wording):
    """Those who get mail, and those whose mail a catch-all or an alias domain would take."""
    at_place = wording.dialect.joined("'@'", "place.domain")
    takers = (
        f"{ROW}.active = 1",
        wording.exists(Alias, "everybody", "address", at_place),
        wording.exists(AliasDomain, "mirror", "alias_domain", "place.domain"),
    )
    return Branch(
        alias_columns(wording.compared(Mailbox, "username", Alias, "address"), f"{ROW}.username"),
        (
            wording.table(Mailbox),
            wording.place("username"),
            own_alias(wording, f"{ROW}.username"),
        ),
        ("own.address IS NULL", f"({' OR '.join(takers)})"),
    )


def by_mirror(wording):
    """Unless the alias domain has a catch-all of its own."""
    address = wording.compared(DomainState, "at_domain", Alias, "address")
    mirror = wording.join(
        AliasDomain, "mirror", "alias_domain", f"{ROW}.domain", "mirror.active = 1"
    )
    return Branch(
        alias_columns(address, wording.dialect.joined("'@'", "mirror.target_domain")),
        (
            wording.table(DomainState),
            mirror,
            wording.join(Domain, "place", "domain", f"{ROW}.domain", *in_force("place")),
            wording.join(Domain, "target", "domain", "mirror.target_domain", *in_force("target")),
            own_alias(wording, f"{ROW}.at_domain"),
        ),
        ("own.address IS NULL",),
    )


def alias_columns(address, goto):
    return {
        "number": number(address),
        "domain_number": number("place.domain"),
        "address": address,
        "targets": spelled(goto),
    }


def own_alias(wording, address):
    """The alias that answers first, if there is one."""
    return wording.perhaps(Alias, "own", "address", address, "own.active = 1", "own.goto <> ''")


def transports(wording):
    """Rows of the transport table; for other keys, what domains say that is not the usual."""
    yield Branch(
        {"pattern": f"{ROW}.pattern", "transport": spelled(f"{ROW}.transport")},
        (wording.table(Transport),),
        (f"{ROW}.active = 1",),
    )
    domain = wording.compared(Domain, "domain", Transport, "pattern")
    yield Branch(
        {"pattern": domain, "transport": spelled(f"{ROW}.transport")},
        (
            wording.table(Domain),
            wording.perhaps(Transport, "own", "pattern", f"{ROW}.domain", "own.active = 1"),
        ),
        (*in_force(ROW), f"{ROW}.transport NOT IN ('', 'virtual')", "own.pattern IS NULL"),
    )


LISTS = {
    "domains": domains,
    "mailboxes": mailboxes,
    "aliases": aliases,
    "transports": transports,
}
