"""The lookup tables of Postfix: every query is written here, once.

The configuration is generated from them, the tracer answers by them, checks and verification
compare with them.
"""

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from domains.models import Domain, Transport
from mailboxes.models import Alias, Mailbox
from mailboxes.postfix.dialects import get_dialect
from mailboxes.postfix.queries import (
    HAS_TARGETS_CONDITION,
    Conditions,
    LookupSelect,
    PostfixMap,
    QueryBuilder,
    build_own_transport_condition,
    iter_key_expressions,
)
from mailboxes.postfix.sender_logins import build_sender_login_map

MAILBOX_INACTIVE_REPLY = "550 5.2.1 Mailbox is inactive"
VACATION_SERVICE = "mailadmin-autoreply"  # in master.cf
NOT_ALL_ROW_CONDITION = "domain.domain <> 'ALL'"
# The least that Postfix must be allowed: table → statement → columns
POSTFIX_PRIVILEGES: dict[str, dict[str, tuple[str, ...]]] = {
    "domain": {"SELECT": ("domain", "active", "backupmx", "transport", "created")},
    "alias_domain": {"SELECT": ("alias_domain", "target_domain", "active")},
    "alias": {"SELECT": ("address", "goto", "active")},
    "mailbox": {"SELECT": ("username", "domain", "maildir", "quota", "active", "created")},
    "mailadmin_transport": {"SELECT": ("pattern", "transport", "active")},
    "mailadmin_sender_permission": {"SELECT": ("address", "mailbox", "active", "created")},
}


def build_postfix_maps(alias: str = "default") -> tuple[PostfixMap, ...]:
    """Return every map, in the order in which the parameters list them."""
    builder = QueryBuilder(get_dialect(alias))
    return (
        *build_domain_maps(builder),
        *build_alias_maps(builder),
        build_mailbox_map(builder),
        build_relay_recipient_map(builder),
        *build_restriction_maps(builder),
        *build_transport_maps(builder),
        build_sender_login_map(builder),
        build_quota_map(builder),
    )


def build_domain_maps(builder: QueryBuilder) -> Iterator[PostfixMap]:
    """Yield the maps of domains, which are in one class only: backup MX decides which."""
    for name, title, backup_mx, reason in (
        ("virtual_mailbox_domains", _("Domains with mailboxes"), 0, _("the domain is a backup MX")),
        ("relay_domains", _("Backup MX domains"), 1, _("the domain is not a backup MX")),
    ):
        active_if = (builder.active("domain"), (f"domain.backupmx = {backup_mx}", reason))
        yield PostfixMap(name, name, title, (select_domain(builder, "domain.domain", active_if),))


def select_domain(builder: QueryBuilder, answer: str, active_if: Conditions) -> LookupSelect:
    where = (*builder.key_conditions(Domain, "domain"), NOT_ALL_ROW_CONDITION)
    return LookupSelect(Domain, answer, builder.dialect.table(Domain), where, active_if)


def build_alias_maps(builder: QueryBuilder) -> Iterator[PostfixMap]:
    """Yield maps of aliases, and of mailboxes as their own targets: no catch-all takes their mail.

    An inactive mailbox is its own target too: its mail is refused, not forwarded.
    """
    titles = {
        "virtual_alias": _("Aliases"),
        "virtual_alias_mailbox": _("Mailboxes (so that no catch-all takes their mail)"),
        "virtual_alias_mirror": _("Aliases in alias domains"),
        "virtual_alias_mirror_mailbox": _("Mailboxes in alias domains"),
    }
    active_if = (builder.active("alias"), HAS_TARGETS_CONDITION)
    parts = [
        part
        for by_alias_domain in (False, True)
        for part in (
            builder.select(Alias, "address", "alias.goto", active_if, by_alias_domain),
            builder.select(Mailbox, "username", "mailbox.username", (), by_alias_domain),
        )
    ]
    for (name, title), part in zip(titles.items(), parts, strict=True):
        yield PostfixMap(name, "virtual_alias_maps", title, (part,))


def build_mailbox_map(builder: QueryBuilder) -> PostfixMap:
    active_if = (builder.active("mailbox"), builder.active_domain(backup_mx=False))
    part = select_mailbox(builder, "mailbox.maildir", active_if)
    return PostfixMap("virtual_mailbox", "virtual_mailbox_maps", _("Mailboxes"), (part,))


def select_mailbox(builder: QueryBuilder, answer: str, active_if: Conditions) -> LookupSelect:
    source, where = builder.dialect.table(Mailbox), builder.key_conditions(Mailbox, "username")
    return LookupSelect(Mailbox, answer, source, where, active_if)


def build_relay_recipient_map(builder: QueryBuilder) -> PostfixMap:
    active_if = (builder.active("mailbox"), builder.active_domain(backup_mx=True))
    parts = (
        select_mailbox(builder, "mailbox.username", active_if),
        select_backup_mx_wildcard(builder),
    )
    title = _("Recipients in backup MX domains")
    return PostfixMap("relay_recipients", "relay_recipient_maps", title, parts)


def select_backup_mx_wildcard(builder: QueryBuilder) -> LookupSelect:
    """Return the catch-all of backup MX domains without mailboxes: their users are unknown."""
    domain = "SUBSTR(:key, 2)"
    where = builder.key_conditions(Domain, "domain", domain)
    active_if = (
        builder.active("domain"),
        ("domain.backupmx = 1", _("the domain is not a backup MX")),
        (
            builder.not_exists(Mailbox, "domain", domain),
            _("the domain has a list of mailboxes, and this is not one of them"),
        ),
    )
    return LookupSelect(Domain, "domain.domain", builder.dialect.table(Domain), where, active_if)


def build_restriction_maps(builder: QueryBuilder) -> Iterator[PostfixMap]:
    """Yield the maps that refuse mail to inactive mailboxes, unless an alias forwards it."""
    titles = {
        "refused_recipients": _("Inactive mailboxes"),
        "refused_recipients_mirror": _("Inactive mailboxes in alias domains"),
    }
    for name, parts in zip(titles, iter_restriction_selects(builder), strict=True):
        # A duplicate (“DUNNO,DUNNO”) would be no action of access(5).
        yield PostfixMap(name, "smtpd_recipient_restrictions", titles[name], parts, "UNION")


def iter_restriction_selects(builder: QueryBuilder) -> Iterator[tuple[LookupSelect, ...]]:
    """Yield the parts of each map: those that permit, and the one that refuses."""
    direct = tuple(iter_permitting_selects(builder))
    for address, unclaimed in iter_key_expressions(builder):
        forwards = build_forwards_condition(builder, "other")
        not_forwarded = builder.not_exists(Alias, "address", address, forwards)
        active_if = (("mailbox.active = 0", ""), (not_forwarded, ""), *unclaimed)
        reply, by_alias_domain = f"'{MAILBOX_INACTIVE_REPLY}'", bool(unclaimed)
        refused = builder.select(Mailbox, "username", reply, active_if, by_alias_domain)
        mirrored = iter_permitting_selects(builder, unclaimed) if unclaimed else ()
        yield (*direct, *mirrored, refused)


def iter_permitting_selects(
    builder: QueryBuilder, unclaimed: Conditions = ()
) -> Iterator[LookupSelect]:
    """Yield what permits the key itself, so that Postfix does not look up its plain address."""
    forwards, active = build_forwards_condition(builder, "alias"), "mailbox.active = 1"
    for model, column, condition in (
        (Alias, "address", forwards),
        (Mailbox, "username", active),
    ):
        active_if = ((condition, ""), *unclaimed)
        yield builder.select(model, column, "'DUNNO'", active_if, bool(unclaimed))


def build_forwards_condition(builder: QueryBuilder, name: str) -> str:
    """Return the condition of an active alias with a target beside itself and its auto-reply."""

    def between_commas(expression: str) -> str:
        return builder.dialect.concat("','", f"LOWER({expression})", "','")

    autoreply = builder.dialect.concat(
        f"REPLACE({name}.address, '@', '#')", f"'@{settings.MAILADMIN_VACATION_DOMAIN}'"
    )
    autoreply, itself = (
        builder.dialect.cast_to_column(Alias, "goto", between_commas(expression))
        for expression in (autoreply, f"{name}.address")
    )
    targets = between_commas(f"REPLACE({name}.goto, ' ', '')")
    remaining = f"REPLACE({targets}, {autoreply}, ',')"
    return f"{name}.active = 1 AND {remaining} <> ',' AND {remaining} <> {itself}"


def build_transport_maps(builder: QueryBuilder) -> Iterator[PostfixMap]:
    """Yield the transports of patterns and of domains; Postfix looks up each key in both."""
    pattern = LookupSelect(
        Transport,
        "transport.transport",
        builder.dialect.table(Transport),
        builder.key_conditions(Transport, "pattern"),
        (builder.active("transport"),),
    )
    title = _("Transports for addresses, domains and “*”")
    yield PostfixMap("transport_pattern", "transport_maps", title, (pattern,))
    not_default = (build_own_transport_condition("domain.transport"), "")
    part = select_domain(builder, "domain.transport", (builder.active("domain"), not_default))
    yield PostfixMap("transport", "transport_maps", _("Transports"), (part,))


def build_quota_map(builder: QueryBuilder) -> PostfixMap:
    """Return the quotas: not for main.cf, but for the tracer and Dovecot's tools."""
    part = select_mailbox(builder, "mailbox.quota", (builder.active("mailbox"),))
    return PostfixMap("mailbox_limit", "", _("Quotas"), (part,))
