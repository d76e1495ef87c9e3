"""Create, edit and delete aliases."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError

from domains.services.locks import (
    adjust_tallies_of_domains,
    lock_domains,
    lock_writable_domains,
)
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import Changes
from mailadmin.db.bulk import chunks
from mailadmin.db.models import copy_with_values
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import Alias, Mailbox, is_vacation_target
from mailboxes.models.goto import join_goto, split_goto
from mailboxes.services import cached_stats
from mailboxes.services.addresses import (
    find_domain_names,
    find_keys_of_mailboxes,
    group_by_domain,
    refuse_taken_addresses,
)
from mailboxes.services.default_aliases import is_default_alias
from mailboxes.services.default_targets import save_default_targets
from mailboxes.services.foreign_targets import refuse_foreign_targets
from mailboxes.services.limits import check_row_limit, validate_column_capacity
from mailboxes.services.loops import refuse_loops
from mailboxes.services.standalone_aliases import index_standalone_aliases

# Values of forms that a new alias has no column for, or that are put together
OTHER_VALUES = ("local_part", "goto", "goto_mailbox", "goto_default", "goto_forget")
ROUTING = ("goto", "active")  # what decides where mail goes
NO_TARGET_MESSAGE = _("Enter at least one address to forward to.")

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def create_aliases(changes: Changes, rows: list[dict]) -> list[Alias]:
    """Create aliases. The local part `*` stands for a catch-all."""
    domains = lock_writable_domains(changes, [row["domain"].pk for row in rows])
    aliases = [_build_alias(row) for row in rows]
    refuse_taken_addresses([alias.pk for alias in aliases])
    for domain, new in group_by_domain(aliases, domains):
        check_row_limit(domain, "aliases", len(new))
    _refuse_protected_aliases(changes, aliases)
    refuse_foreign_targets((alias, ()) for alias in aliases)
    for alias in aliases:
        _refuse_system_users(changes, alias)
        _validate_targets(alias)
    refuse_loops(changes, aliases)
    changes.create(aliases)
    save_default_targets(changes, rows)
    index_standalone_aliases(aliases)
    adjust_tallies_of_domains(
        {domain.pk: {"aliases": len(new)} for domain, new in group_by_domain(aliases, domains)}
    )
    cached_stats.refresh_undeliverable(aliases)
    for alias in aliases:
        changes.log("create_alias", alias.domain_id, alias.pk)
    return aliases


def _build_alias(row: dict) -> Alias:
    local_part = "" if row["local_part"] == "*" else row["local_part"].lower()
    own = {k: v for k, v in row.items() if k not in OTHER_VALUES}
    _refuse_vacation_targets(row.get("goto", []))
    alias = Alias(
        address=f"{local_part}@{row['domain'].pk}", goto=join_goto(row.get("goto", [])), **own
    )
    alias.clean_fields(exclude=["goto"])
    return alias


def edit_alias(changes: Changes, key: str, values: dict) -> Alias:
    """Edit an alias."""
    return edit_aliases(changes, [(key, values)])[0]


def edit_aliases(changes: Changes, edits: list[tuple[str, dict]]) -> list[Alias]:
    """Edit aliases; the targets of vacation replies are kept, whatever the values say."""
    keys = [key for key, _values in edits]
    lock_domains(changes, find_domain_names(Alias, keys))
    aliases = changes.find(Alias, keys)
    _refuse_protected_aliases(changes, aliases)
    of_mailboxes = find_keys_of_mailboxes(keys)
    columns = []
    for alias, (_key, values) in zip(aliases, edits, strict=True):
        has_mailbox = fold(alias.pk) in of_mailboxes
        _refuse_mailbox_forwarding(changes, has_mailbox)
        columns.append((alias, _get_edited_columns(changes, alias, values, has_mailbox)))
    refuse_foreign_targets(
        (copy_with_values(alias, own), alias.targets) for alias, own in columns if "goto" in own
    )
    rerouted = [
        (alias, own)
        for alias, own in columns
        if any(own.get(name, getattr(alias, name)) != getattr(alias, name) for name in ROUTING)
    ]
    refuse_loops(changes, [copy_with_values(alias, own) for alias, own in rerouted])
    changed = {alias.pk for alias in changes.update_each(columns)}
    for alias in aliases:
        if alias.pk in changed:
            changes.log("edit_alias", alias.domain_id, alias.pk)
    if rerouted:
        changes.run_at_end(cached_stats.refresh_undeliverable, [alias for alias, _own in rerouted])
    return aliases


def _get_edited_columns(
    changes: Changes, alias: Alias, values: dict, has_mailbox: bool
) -> dict[str, Any]:
    """Return the columns to set, the targets as they are stored; refuse targets that are wrong."""
    own = {k: v for k, v in values.items() if k not in ("goto", "goto_mailbox", "only_answers")}
    if has_mailbox:
        own.pop("active", None)
    if "goto" in values:
        _refuse_vacation_targets(values["goto"])
        keep = values.get("goto_mailbox", True) if has_mailbox else alias.keeps_copy
        own["goto"] = _build_goto(alias, values["goto"], keep)
    edited = copy_with_values(alias, own)
    if edited.goto != alias.goto:
        _refuse_system_users(changes, edited, alias)
        _validate_targets(
            edited, has_mailbox or alias.keeps_copy, values.get("only_answers", False)
        )
    return own


def _build_goto(alias: Alias, targets: list[str], keep_copy: bool) -> str:
    """Return the targets in PostfixAdmin's order: others, the vacation's, the own address."""
    others = [t for t in targets if t.lower() != fold(alias.pk) or alias.is_catch_all]
    vacation = [t for t in split_goto(alias.goto) if is_vacation_target(t)]
    return join_goto(others + vacation + ([alias.pk] if keep_copy else []))


def set_aliases(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of aliases that belong to no mailbox."""
    lock_domains(changes, find_domain_names(Alias, keys))
    aliases = changes.find(Alias, keys)
    _refuse_protected_aliases(changes, aliases)
    _refuse_keys_of_mailboxes(
        keys, _("%(key)s belongs to a mailbox: activate or deactivate the mailbox instead.")
    )
    refuse_loops(changes, [copy_with_values(alias, {field: value}) for alias in aliases])
    for alias in changes.update(aliases, **{field: value}):
        changes.log("edit_alias", alias.domain_id, alias.pk)
    cached_stats.refresh_undeliverable(aliases)


def delete_aliases(changes: Changes, keys: list[str]) -> None:
    """Delete aliases that belong to no mailbox."""
    lock_domains(changes, find_domain_names(Alias, keys))
    aliases = changes.find(Alias, keys)
    _refuse_protected_aliases(changes, aliases)
    _refuse_keys_of_mailboxes(keys, _("%(key)s belongs to a mailbox and is deleted with it."))
    changes.delete(aliases)
    cached_stats.refresh_undeliverable(aliases)
    adjust_tallies_of_domains(
        {domain: {"aliases": -len(gone)} for domain, gone in group_by_domain(aliases)}
    )
    for alias in aliases:
        changes.log("delete_alias", alias.domain_id, alias.pk)


def _refuse_protected_aliases(changes: Changes, aliases: Iterable[Alias]) -> None:
    """Refuse domain admins the default aliases, unless a setting allows them."""
    if changes.principal.role != Role.ADMIN or settings.MAILADMIN_SPECIAL_ALIAS_CONTROL:
        return
    for alias in aliases:
        if is_default_alias(alias.local_part):
            raise ValidationError(
                _("%(key)s is protected: only superadmins can change it."),
                params={"key": alias.pk},
            )


def _refuse_mailbox_forwarding(changes: Changes, has_mailbox: bool) -> None:
    """Refuse domain admins the aliases of mailboxes, where a setting forbids them."""
    closed = not settings.MAILADMIN_ALIAS_CONTROL_ADMIN
    if has_mailbox and closed and changes.principal.role == Role.ADMIN:
        raise ValidationError(_("Only superadmins can change the forwarding of mailboxes."))


def _refuse_keys_of_mailboxes(keys: list[str], text: "StrOrPromise") -> None:
    """Refuse aliases that belong to a mailbox, whose services set and delete them."""
    if key := Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True).first():
        raise ValidationError(text, params={"key": key})


def _refuse_vacation_targets(targets: Iterable[str]) -> None:
    """Refuse targets of vacation replies, which are set on their own page alone."""
    for target in filter(is_vacation_target, targets):
        text = _("%(value)s belongs to the vacation reply: use the vacation reply page instead.")
        raise ValidationError({"goto": text % {"value": target}})


def is_system_user(target: str) -> bool:
    """Return whether a target is a user of the mail server's own system, as every system has."""
    _name, at, host = target.lower().rpartition("@")
    return not at or host in ("localhost", "localhost.localdomain") or host.startswith("[")


def _refuse_system_users(changes: Changes, alias: Alias, before: Alias | None = None) -> None:
    """Refuse new targets that are users of the mail server's system, such as root."""
    role = changes.principal.role
    if role == Role.SUPERADMIN:
        return
    if role == Role.ADMIN and settings.MAILADMIN_SYSTEM_USERS == "admins":
        return
    known = before.targets if before else []
    for target in alias.targets:
        if is_system_user(target) and target not in known:
            text = _(
                "Only superadmins can forward to “%(value)s”, a system user of the mail server."
            )
            raise ValidationError({"goto": text % {"value": target}})


def _validate_targets(
    alias: Alias, has_mailbox: bool = False, may_only_answer: bool = False
) -> None:
    """Refuse targets that one alias cannot have."""
    validate_column_capacity(alias, "goto")
    targets = alias.targets
    if not targets and not (may_only_answer and alias.is_autoreply_only):
        _refuse_no_targets(has_mailbox)
    if not has_mailbox and fold(alias.pk) in [target.lower() for target in targets]:
        raise ValidationError({"goto": _("An alias cannot point to itself.")})
    if not alias.is_catch_all and any(target.startswith("@") for target in targets):
        raise ValidationError({"goto": _("Only a catch-all can forward to a whole domain.")})
    if len(targets) > 1 and any(target.startswith("@") for target in targets):
        # Postfix takes what stands beside it for a part of the address.
        raise ValidationError({"goto": _("A whole domain must be the only target.")})


def _refuse_no_targets(has_mailbox: bool) -> None:
    """Refuse an alias whose mail would be kept nowhere; an auto-reply keeps none."""
    text = _("Enter an address to forward to, or keep a copy in the mailbox.")
    raise ValidationError({"goto": text if has_mailbox else NO_TARGET_MESSAGE})


def get_or_create_own_alias(changes: Changes, mailbox: Mailbox) -> Alias:
    """Return the alias of a mailbox; other programs may have created none."""
    return get_or_create_own_aliases(changes, [mailbox])[0]


def get_or_create_own_aliases(changes: Changes, mailboxes: Sequence[Mailbox]) -> list[Alias]:
    """Return the alias of each mailbox; other programs may have created none."""
    found: dict[str, Alias] = {}
    for part in chunks([mailbox.pk for mailbox in mailboxes]):
        found |= {fold(alias.pk): alias for alias in Alias.objects.filter(pk__in=part)}
    missing = [
        Alias(address=each.pk, goto=each.pk, domain_id=each.domain_id, active=each.active)
        for each in mailboxes
        if fold(each.pk) not in found
    ]
    changes.create(missing)
    found |= {fold(alias.pk): alias for alias in missing}
    return [found[fold(mailbox.pk)] for mailbox in mailboxes]
