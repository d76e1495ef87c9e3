"""The lookup table of sender logins: who may send as an address.

Postfix looks up the whole address, then the address without its extension, then `@domain`, and
stops at the first answer. So the answer for an address without an extension is the whole one: it
has the permissions for all addresses of the domain and, for an address that is neither a mailbox
nor an alias, the targets of the catch-all. A permission takes nothing away from anybody.
"""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from domains.models import Domain
from mailboxes.models import Alias, Mailbox, SenderPermission
from mailboxes.postfix.queries import (
    HAS_TARGETS_CONDITION,
    TARGET_DOMAIN,
    Conditions,
    LookupSelect,
    PostfixMap,
    QueryBuilder,
    iter_key_expressions,
)

PERMISSION = "senderpermission"
PERMITTED_LOGIN = f"{PERMISSION}.mailbox"


def build_sender_login_map(builder: QueryBuilder) -> PostfixMap:
    """Return the map: mailboxes, targets of aliases, permissions, targets of the catch-all."""
    parts = (
        *iter_owner_selects(builder),
        *iter_permission_selects(builder),
        *iter_catch_all_selects(builder),
    )
    return PostfixMap("sender_login", "smtpd_sender_login_maps", _("Sender logins"), parts)


def iter_owner_selects(builder: QueryBuilder) -> Iterator[LookupSelect]:
    """Yield the mailbox of an address, or the targets of its alias.

    A mailbox is found even if it is inactive, else the catch-all's owner could send as it;
    its forwarding lets nobody send in its name.
    """
    for address, unclaimed in iter_key_expressions(builder):
        no_mailbox = (
            builder.not_exists(Mailbox, "username", address),
            _("the address is a mailbox: forwarding targets may not send as this mailbox"),
        )
        active_if = (builder.active("alias"), HAS_TARGETS_CONDITION, no_mailbox, *unclaimed)
        by_alias_domain = bool(unclaimed)
        yield builder.select(Mailbox, "username", "mailbox.username", unclaimed, by_alias_domain)
        yield builder.select(Alias, "address", "alias.goto", active_if, by_alias_domain)


def iter_permission_selects(builder: QueryBuilder) -> Iterator[LookupSelect]:
    """Yield the permissions for the address and for all addresses of its domain.

    The latter not for an address with an extension, unless it is an alias: its plain address is
    looked up next.
    """
    for address, unclaimed in iter_key_expressions(builder):
        own = builder.equals(SenderPermission, "address", address)
        is_alias = builder.exists(Alias, "address", address, "other.active = 1")
        applies = (f"({own} OR {build_no_extension(builder)} OR {is_alias})", "")
        domain = TARGET_DOMAIN if unclaimed else ":domain"
        counts = (*get_permission_conditions(builder, domain), *unclaimed)
        is_of_target = bool(unclaimed)
        if is_of_target:  # apart: for two names of a joined table, MariaDB 11 reads all rows
            yield builder.select(SenderPermission, "address", PERMITTED_LOGIN, counts, True)
        yield builder.select_of_domain(
            SenderPermission,
            PERMITTED_LOGIN,
            (applies, *counts),
            is_of_target,
            with_key=not is_of_target,
        )


def iter_catch_all_selects(builder: QueryBuilder) -> Iterator[LookupSelect]:
    """Yield the targets of the catch-all, for an address that has neither mailbox nor alias."""
    at_domain = builder.dialect.concat("'@'", ":domain")
    no_catch_all = (builder.not_exists(Alias, "address", at_domain, "other.active = 1"), "")
    unowned = (
        ("SUBSTR(:key, 1, 1) <> '@'", ""),  # which is found above
        (build_no_extension(builder), ""),
        (f"NOT {build_has_owner(builder)}", ""),
    )
    for _address, unclaimed in iter_key_expressions(builder):
        own = (no_catch_all, *unclaimed) if unclaimed else ()
        active_if = (*unowned, *own, builder.active("alias"), HAS_TARGETS_CONDITION)
        yield builder.select_of_domain(
            Alias, "alias.goto", active_if, bool(unclaimed), with_key=False
        )


def get_permission_conditions(builder: QueryBuilder, domain: str) -> Conditions:
    """Return what makes a permission count: it and its mailbox are active.

    One that is older than the mailbox or the domain of its address is that of a former one, which
    another program has deleted.
    """
    of_mailbox = (Mailbox, "username", PERMITTED_LOGIN)
    is_active = builder.exists(*of_mailbox, "other.active = 1")
    is_younger = " AND ".join(
        builder.exists(*place, f"other.created <= {PERMISSION}.created")
        for place in (of_mailbox, (Domain, "domain", domain))
    )
    return (
        builder.active(PERMISSION),
        (is_active, _("the mailbox of the sender permission is inactive or missing")),
        (
            f"({is_younger})",
            _("the sender permission is older than its mailbox or domain, which was created again"),
        ),
    )


def build_no_extension(builder: QueryBuilder) -> str:
    """Return the condition that Postfix finds no address extension in the key."""
    local_part = builder.dialect.key_local_part()
    signs = settings.MAILADMIN_RECIPIENT_DELIMITER
    conditions = [f"INSTR({local_part}, {builder.dialect.quote(sign)}) = 0" for sign in signs]
    return f"({' AND '.join(conditions)})" if conditions else "1 = 1"


def build_has_owner(builder: QueryBuilder) -> str:
    """Return the condition that a mailbox or an alias of the address answers."""

    def has_owner(address: str) -> str:
        targets = ("other.active = 1", "other.goto <> ''")
        mailbox = builder.exists(Mailbox, "username", address)
        return f"({mailbox} OR {builder.exists(Alias, 'address', address, *targets)})"

    in_target = builder.exists_in_target(has_owner(builder.dialect.key_at_domain(TARGET_DOMAIN)))
    return f"({has_owner(':key')} OR {in_target})"
