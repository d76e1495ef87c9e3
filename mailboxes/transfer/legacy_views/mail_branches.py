"""The queries of a mail server's views: active rows only.

An inactive row is left out, and so is every row of an inactive domain. For mailboxes that alone
would do harm: if no alias matches a mailbox's address, its domain's catch-all takes the mail.
Therefore a mailbox is its own target, as in the panel's own maps; under a catch-all even an
inactive one, so that its mail is refused, since no mailbox is found for it.

Vacation replies are not sent: older files do not know the vacation domain, so such targets are
left out.

The older files compare with our columns as they are. Where those are latin1, MariaDB refuses to
compare characters that latin1 lacks: Postfix then defers mail for such an address.
"""

from collections.abc import Iterator

from django.conf import settings

from domains.models import AliasDomain, Domain, DomainState, Transport
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.queries import build_own_transport_condition
from mailboxes.transfer.legacy_views.passwords import dovecot_password
from mailboxes.transfer.legacy_views.sql import (
    ROW_ALIAS,
    SelectBranch,
    ViewSqlBuilder,
    active_domain_conditions,
    number_expression,
    utf8mb4_expression,
)


def targets_expression() -> str:
    """Return the targets without the vacation's; an alias without others points to itself."""
    domain = settings.MAILADMIN_VACATION_DOMAIN.replace(".", "[.]")
    vacation = f"(^|,)[[:space:]]*[^,]*@{domain}[[:space:]]*(?=,|$)"
    other_targets = f"TRIM(BOTH ',' FROM REGEXP_REPLACE({ROW_ALIAS}.goto, '{vacation}', ''))"
    return f"COALESCE(NULLIF({other_targets}, ''), {ROW_ALIAS}.address)"


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
            "password": dovecot_password(),
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
