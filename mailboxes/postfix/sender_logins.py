"""The lookup table of sender logins: who may send as an address.

Postfix looks up the whole address, then the address without its extension, then `@domain`, and
stops at the first answer. So the answer for an address also names who may send as all addresses
of the domain, and a permission takes nothing away from those who may send without it.
"""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

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

PERMITTED_LOGIN = "senderpermission.mailbox"


def build_sender_login_map(builder: QueryBuilder) -> PostfixMap:
    """Return the map: mailboxes, targets of aliases, permissions for an address or its domain."""
    parts = (
        *iter_owner_selects(builder),
        *iter_permission_selects(builder),
        *iter_domain_permission_selects(builder),
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
    """Yield the permissions for the address itself."""
    for _address, unclaimed in iter_key_expressions(builder):
        active_if = (*get_permission_conditions(builder), *unclaimed)
        yield builder.select(
            SenderPermission, "address", PERMITTED_LOGIN, active_if, bool(unclaimed)
        )


def iter_domain_permission_selects(builder: QueryBuilder) -> Iterator[LookupSelect]:
    """Yield the permissions for the whole domain, if there is an answer for the address itself."""
    has_answer = (f"({build_has_owner(builder)} OR {build_has_permission(builder)})", "")
    for _address, unclaimed in iter_key_expressions(builder):
        active_if = (*get_permission_conditions(builder), *unclaimed, has_answer)
        yield builder.select_for_addresses(
            SenderPermission, PERMITTED_LOGIN, active_if, bool(unclaimed)
        )


def iter_catch_all_selects(builder: QueryBuilder) -> Iterator[LookupSelect]:
    """Yield the targets of the catch-all, if the address itself has nothing but permissions."""
    at_domain = builder.dialect.concat("'@'", ":domain")
    no_catch_all = (builder.not_exists(Alias, "address", at_domain, "other.active = 1"), "")
    only_permissions = (
        (build_has_permission(builder), ""),
        (f"NOT {build_has_owner(builder)}", ""),
    )
    for _address, unclaimed in iter_key_expressions(builder):
        own = (no_catch_all, *unclaimed) if unclaimed else ()
        active_if = (builder.active("alias"), HAS_TARGETS_CONDITION, *only_permissions, *own)
        yield builder.select_for_addresses(Alias, "alias.goto", active_if, bool(unclaimed))


def get_permission_conditions(builder: QueryBuilder) -> Conditions:
    """Return what makes a permission count: it and its mailbox are active."""
    is_mailbox_active = build_mailbox_active(builder, PERMITTED_LOGIN)
    reason = _("the mailbox of the sender permission is inactive or missing")
    return builder.active("senderpermission"), (is_mailbox_active, reason)


def build_mailbox_active(builder: QueryBuilder, login: str) -> str:
    return builder.exists(Mailbox, "username", login, "login.active = 1", name="login")


def build_has_owner(builder: QueryBuilder) -> str:
    """Return the condition that a mailbox or an alias of the address answers."""

    def has_owner(address: str) -> str:
        targets = ("other.active = 1", "other.goto <> ''")
        mailbox = builder.exists(Mailbox, "username", address)
        return f"({mailbox} OR {builder.exists(Alias, 'address', address, *targets)})"

    in_target = builder.exists_in_target(has_owner(builder.dialect.key_at_domain(TARGET_DOMAIN)))
    return f"({has_owner(':key')} OR {in_target})"


def build_has_permission(builder: QueryBuilder) -> str:
    """Return the condition that a permission for the address itself answers."""

    def has_permission(address: str) -> str:
        active = ("other.active = 1", build_mailbox_active(builder, "other.mailbox"))
        return builder.exists(SenderPermission, "address", address, *active)

    in_target = builder.exists_in_target(
        has_permission(builder.dialect.key_at_domain(TARGET_DOMAIN))
    )
    return f"({has_permission(':key')} OR {in_target})"
