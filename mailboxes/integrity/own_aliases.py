"""Mailboxes and the aliases of their own addresses."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, Field, OuterRef, Q, QuerySet

from domains.models import Domain
from mailadmin.accounts.models import Role
from mailadmin.db.address_functions import AddressDomain
from mailadmin.db.compared_columns import AsColumn
from mailadmin.formatting import key_url
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.integrity.alias_rows import (
    ALIAS_ROWS,
    MAILBOX_ROWS,
    MAILBOXES,
    load_aliases,
    names_autoreply,
    plan_alias_edit,
)
from mailboxes.integrity.checks import (
    IntegrityCheck,
    PlannedChange,
    Problem,
    get_domain,
    has_parent,
    outer_value,
)
from mailboxes.models import Alias, Mailbox, Vacation
from mailboxes.models.goto import split_goto
from mailboxes.services.addresses import find_keys_of_mailboxes
from mailboxes.services.mailboxes import build_own_alias

ALIAS_KEY: Field = Alias._meta.pk
MAILBOX_KEY: Field = Mailbox._meta.pk


def find_without_alias(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the mailboxes that have no alias of their address."""
    missing = rows.filter(~has_parent(MAILBOX_KEY, Alias))
    for key, domain in missing.values_list("username", "domain_id"):
        yield Problem(key, _("There is no alias of this address."), domain, key_url("mailbox", key))


def plan_own_aliases(rows: QuerySet) -> list[PlannedChange]:
    """Plan to create the aliases, as they are created with a mailbox."""
    return [
        PlannedChange("create", build_own_alias(row), {}, "create_alias", row.domain_id, row.pk)
        for row in rows
    ]


def find_other_state(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the mailboxes that are active while their alias is not, or the other way round."""
    aliases = Alias._base_manager.filter(pk=outer_value(MAILBOX_KEY, ALIAS_KEY))
    differs = Q(Exists(aliases.filter(active=False)), active=True)
    differs |= Q(Exists(aliases.filter(active=True)), active=False)
    found = rows.filter(differs).values_list("username", "domain_id", "active")
    for key, domain, active in found:
        text = _("The mailbox is active, its alias is not.")
        if not active:
            text = _("The alias is active, its mailbox is not.")
        yield Problem(key, text, domain, key_url("mailbox", key))


def plan_same_state(rows: QuerySet) -> list[PlannedChange]:
    """Plan to give the aliases the state of their mailboxes."""
    active = {fold(row.pk): row.active for row in rows}
    return [plan_alias_edit(alias, active=active[fold(alias.pk)]) for alias in load_aliases(active)]


def select_without_target(rows: QuerySet) -> list[Alias]:
    """Return the aliases that name no target, or only that of an auto-reply."""
    candidates = rows.filter(~Q(goto__contains="@") | names_autoreply())
    return [alias for alias in candidates if not alias.targets]


def find_owners(aliases: list[Alias]) -> set[str]:
    """Return the folded keys of those aliases that belong to a mailbox."""
    return find_keys_of_mailboxes([alias.pk for alias in aliases])


def find_empty_own_aliases(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases of mailboxes that have no target at all."""
    empty = [alias for alias in select_without_target(rows) if not split_goto(alias.goto)]
    owners = find_owners(empty)
    text = _("Mail is neither stored nor forwarded.")
    for alias in empty:
        if fold(alias.pk) in owners:
            yield Problem(alias.pk, text, alias.domain_id, key_url("mailbox", alias.pk))


def plan_stored_mail(rows: QuerySet) -> list[PlannedChange]:
    """Plan to have mailboxes store their mail."""
    return [plan_alias_edit(alias, goto=alias.pk) for alias in rows]


def find_answered_only(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the mailboxes whose mail gets an auto-reply and is stored nowhere."""
    found = [alias for alias in select_without_target(rows) if alias.is_autoreply_only]
    active = Vacation._base_manager.filter(pk__in=[alias.pk for alias in found], active=True)
    answering = {fold(key) for key in active.values_list("pk", flat=True)} & find_owners(found)
    text = _("Mail gets an automatic reply, and is not stored.")
    for alias in found:
        if fold(alias.pk) in answering:
            url = key_url("mailbox-forwarding", alias.pk)
            yield Problem(alias.pk, text, alias.domain_id, url)


def find_empty_aliases(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the aliases of no mailbox that have no target."""
    empty = select_without_target(rows)
    owners = find_owners(empty)
    text = _("It has no target.")
    for alias in empty:
        if fold(alias.pk) not in owners:
            yield Problem(alias.pk, text, alias.domain_id, key_url("alias", alias.pk))


def find_other_domain(rows: QuerySet, principal: Any) -> Iterator[Problem]:
    """Yield the rows whose column for the domain has another one than their address."""
    column: Any = rows.model._meta.get_field("domain")
    of_address = AsColumn(AddressDomain(rows.model._meta.pk.name), column)
    is_known = Exists(Domain._base_manager.filter(pk=AsColumn(OuterRef("of"), Domain._meta.pk)))
    wrong = rows.annotate(of=of_address).exclude(domain_id=F("of")).filter(is_known)
    url_name = "mailbox" if rows.model is Mailbox else "alias"
    for key, domain in wrong.values_list(rows.model._meta.pk.name, "domain_id"):
        text = _("It is stored as a row of the domain %(name)s.") % {"name": domain}
        yield Problem(key, text, get_domain(key), key_url(url_name, key))


def plan_own_domain(rows: QuerySet) -> list[PlannedChange]:
    """Plan to store the rows under the domain of their address."""
    action = "edit_mailbox" if rows.model is Mailbox else "edit_alias"
    return [
        PlannedChange("edit", row, {"domain_id": domain}, action, domain, row.pk)
        for row in rows
        for domain in [fold(get_domain(row.pk))]
    ]


OWN_ALIAS_CHECKS = (
    IntegrityCheck(
        "other-domain",
        MAILBOXES,
        _("Mailboxes and aliases stored under another domain"),
        _("The admins of the other domain manage them, and they count towards its limits."),
        [*MAILBOX_ROWS, *ALIAS_ROWS],
        find_other_domain,
        plan_own_domain,
        _("Store them under the domain of their address."),
        roles=Role.SUPERADMIN,
    ),
    IntegrityCheck(
        "mailbox-alias-missing",
        MAILBOXES,
        _("Mailboxes without their alias"),
        _("A catch-all takes their mail, and other maps do not find them."),
        MAILBOX_ROWS,
        find_without_alias,
        plan_own_aliases,
        _("Create the alias of the address, which delivers to the mailbox."),
    ),
    IntegrityCheck(
        "mailbox-alias-active",
        MAILBOXES,
        _("Mailbox and alias are not both active"),
        _("An active mailbox receives no mail, or an inactive one does."),
        MAILBOX_ROWS,
        find_other_state,
        plan_same_state,
        _("Activate or deactivate the alias, as its mailbox is."),
    ),
    IntegrityCheck(
        "mailbox-alias-empty",
        MAILBOXES,
        _("Mailboxes whose alias has no target"),
        _("Mail to them bounces, or goes to a catch-all."),
        ALIAS_ROWS,
        find_empty_own_aliases,
        plan_stored_mail,
        _("Deliver to the mailbox."),
    ),
    IntegrityCheck(
        "mailbox-not-stored",
        MAILBOXES,
        _("Mailboxes that only send automatic replies"),
        _("Nobody reads the mail that is answered."),
        ALIAS_ROWS,
        find_answered_only,
        decision=_("Keep a copy in the mailbox, unless mail is not to be stored."),
    ),
    IntegrityCheck(
        "alias-empty",
        MAILBOXES,
        _("Aliases without a target"),
        _("Mail to them bounces, or goes to a catch-all."),
        ALIAS_ROWS,
        find_empty_aliases,
        decision=_("Enter the addresses to forward to, or delete the alias."),
    ),
)
