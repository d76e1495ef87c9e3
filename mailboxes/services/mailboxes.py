"""Create, edit and delete mailboxes, each with the alias of its own address."""

import datetime
from collections.abc import Iterable, Sequence

from django.conf import settings
from django.core.exceptions import ValidationError

from domains.models import Domain
from domains.queries import find_domain, find_domains
from domains.quotas import megabytes_to_bytes
from domains.services.locks import (
    adjust_tallies_of_domains,
    lock_domains,
    lock_writable_domains,
)
from domains.services.text_references import delete_text_references
from mailadmin.accounts.models import Principal, Role
from mailadmin.accounts.recovery.invitations import invite_new_people
from mailadmin.accounts.recovery.services import notify_of_new_addresses
from mailadmin.accounts.sessions import end_sessions
from mailadmin.changes.perform import Changes
from mailadmin.db.fields import NO_END
from mailadmin.db.models import copy_with_values
from mailadmin.mails.queue import forget_mails_to
from mailadmin.names import fold
from mailadmin.translation import gettext_lazy as _
from mailboxes.hooks import queue_password_script
from mailboxes.models import Alias, Mailbox
from mailboxes.services import cached_stats
from mailboxes.services.addresses import find_domain_names, group_by_domain, refuse_taken_addresses
from mailboxes.services.app_passwords import revoke_all_app_passwords
from mailboxes.services.leftovers import delete_leftovers
from mailboxes.services.limits import (
    check_domain_quota,
    check_mailbox_quota,
    check_quotas,
    check_row_limit,
    is_quota_increase,
    sum_assigned_quota,
)
from mailboxes.services.mail_logins import set_mail_logins
from mailboxes.welcome_mail import queue_welcome_mails

RULE = "app_passwords_only"
# Values of forms and files that mailboxes have no column for
OTHER_VALUES = ("welcome_mail", "invitation_to", "revoke_app_passwords", "typed_password", RULE)


def create_mailboxes(changes: Changes, rows: list[dict]) -> list[Mailbox]:
    """Create mailboxes, each with its own alias. Quotas are in MB, passwords are hashes."""
    mailboxes = _build_mailboxes(changes, rows)
    delete_leftovers(changes, [mailbox.pk for mailbox in mailboxes])
    changes.create(mailboxes)
    changes.create(build_own_alias(mailbox) for mailbox in mailboxes)
    _set_login_rules(changes, mailboxes, rows)
    adjust_tallies_of_domains(
        {
            domain: {"mailboxes": len(new), "quota_assigned": sum_assigned_quota(new)}
            for domain, new in group_by_domain(mailboxes)
        }
    )
    for mailbox in mailboxes:
        changes.log("create_mailbox", mailbox.domain_id, mailbox.pk)
    _queue_password_scripts(mailboxes, rows)
    invite_new_people(changes, mailboxes, rows)
    queue_welcome_mails(
        changes,
        [mailbox for mailbox, row in zip(mailboxes, rows, strict=True) if row.get("welcome_mail")],
    )
    cached_stats.refresh_undeliverable([], {mailbox.domain_id for mailbox in mailboxes})
    return mailboxes


def _build_mailboxes(changes: Changes, rows: list[dict]) -> list[Mailbox]:
    """Lock the domains and return the new mailboxes, of which no rule refuses any."""
    domains = lock_writable_domains(changes, [row["domain"].pk for row in rows])
    _refuse_maildir(changes, rows)
    mailboxes = [_build_mailbox(changes, row, domains[row["domain"].pk]) for row in rows]
    _refuse_local_parts(mailboxes)
    refuse_taken_addresses([mailbox.pk for mailbox in mailboxes])
    for domain, new in group_by_domain(mailboxes, domains):
        check_row_limit(domain, "mailboxes", len(new))
        check_quotas(domain, new, changes.principal)
    for mailbox, row in zip(mailboxes, rows, strict=True):
        mailbox.clean_fields(exclude=_get_unchecked_fields(row))
    return mailboxes


def _build_mailbox(changes: Changes, row: dict, domain: Domain) -> Mailbox:
    own = {k: v for k, v in row.items() if k not in (*OTHER_VALUES, "quota", "domain")}
    dates = dict.fromkeys(("created", "modified", "token_validity"), changes.at)
    dates["password_expiry"] = get_password_expiry(changes, domain)
    mailbox = Mailbox(**dates | own, domain=domain, quota=megabytes_to_bytes(row.get("quota", 0)))
    mailbox.set_derived_fields()
    return mailbox


def build_own_alias(mailbox: Mailbox) -> Alias:
    """Return the alias of a mailbox as it is at first: it keeps all mail."""
    return Alias(
        address=mailbox.pk,
        goto=mailbox.pk,
        domain_id=mailbox.domain_id,
        active=mailbox.active,
        created=mailbox.created,
        modified=mailbox.modified,
    )


def _set_login_rules(
    changes: Changes, mailboxes: Sequence[Mailbox], values: Sequence[dict]
) -> set[str]:
    """Set where main passwords work, as far as it is given; return the mailboxes that changed."""
    given = zip(mailboxes, values, strict=True)
    wanted = [(mailbox, own[RULE]) for mailbox, own in given if RULE in own]
    return {mailbox.pk for mailbox in set_mail_logins(changes, wanted)}


def _queue_password_scripts(mailboxes: Sequence[Mailbox], values: Sequence[dict]) -> None:
    """Queue the script for new passwords that were typed; what is stored is a hash."""
    for mailbox, own in zip(mailboxes, values, strict=True):
        if own.get("typed_password"):
            queue_password_script(mailbox, "", own["typed_password"])


def _get_unchecked_fields(row: dict) -> set[str]:
    """Return the fields whose values need no check: hashes, and the defaults of the model."""
    given = {*row, "username", "maildir"} - {"password"}
    return {field.name for field in Mailbox._meta.concrete_fields} - given


def _refuse_maildir(changes: Changes, rows: Iterable[dict]) -> None:
    """Refuse maildirs, except from superadmins: a path could lead to other people's mail."""
    if changes.principal.role is Role.SUPERADMIN:
        return
    if any("maildir" in row for row in rows):
        raise ValidationError(_("Only superadmins can set the maildir."))


def _refuse_local_parts(mailboxes: list[Mailbox]) -> None:
    """Refuse names with other characters than the operator allows, or a recipient delimiter.

    Dovecot looks for the part before a delimiter.
    """
    delimiters, legal = (
        settings.MAILADMIN_RECIPIENT_DELIMITER,
        settings.MAILADMIN_USERNAME_LEGAL_CHARS,
    )
    for mailbox in mailboxes:
        if signs := [sign for sign in mailbox.local_part if sign in delimiters]:
            text = _(
                "Mail to this address would not arrive: Postfix treats everything after"
                " %(sign)s as an address extension."
            )
            raise ValidationError({"local_part": text % {"sign": signs[0]}})
        if legal and not legal.fullmatch(mailbox.local_part):
            text = _("This name has characters that are not allowed here.")
            raise ValidationError({"local_part": text})


def edit_mailbox(changes: Changes, key: str, values: dict) -> Mailbox:
    """Edit a mailbox."""
    return edit_mailboxes(changes, [(key, values)])[0]


def edit_mailboxes(changes: Changes, edits: list[tuple[str, dict]]) -> list[Mailbox]:
    """Edit mailboxes. Their aliases are active exactly as long as they are."""
    keys = [key for key, _values in edits]
    lock_domains(changes, find_domain_names(Mailbox, keys))
    mailboxes = changes.find(Mailbox, keys)
    _refuse_maildir(changes, [values for _key, values in edits])
    domains = find_domains({mailbox.domain_id for mailbox in mailboxes})
    columns = [
        (mailbox, _get_edited_columns(changes, values, domains.get(fold(mailbox.domain_id))))
        for mailbox, (_key, values) in zip(mailboxes, edits, strict=True)
    ]
    _check_edited_quotas(changes, columns, domains)
    notify_of_new_addresses(changes, columns)
    changed = _update_mailboxes(changes, columns)
    changed |= _set_login_rules(changes, mailboxes, [values for _key, values in edits])
    end_sessions(m for m, own in columns if m.pk in changed and own.get("active") is False)
    revoke_all_app_passwords(changes, [k for k, own in edits if own.get("revoke_app_passwords")])
    _queue_password_scripts(mailboxes, [values for _key, values in edits])
    followed = {fold(alias.pk) for alias in _sync_alias_active(changes, mailboxes)}
    edited = [m for m in mailboxes if m.pk in changed or fold(m.pk) in followed]
    for mailbox in edited:
        changes.log("edit_mailbox", mailbox.domain_id, mailbox.pk)
    if edited:
        cached_stats.refresh_undeliverable([], {mailbox.domain_id for mailbox in edited})
    return mailboxes


def _update_mailboxes(changes: Changes, columns: list[tuple[Mailbox, dict]]) -> set[str]:
    """Update mailboxes and the tallies of their quotas; return which of them changed."""
    mailboxes = [mailbox for mailbox, _values in columns]
    before = {mailbox.pk: sum_assigned_quota([mailbox]) for mailbox in mailboxes}
    changed = {mailbox.pk for mailbox in changes.update_each(columns)}
    adjust_tallies_of_domains(
        {
            name: {"quota_assigned": sum_assigned_quota(own) - sum(before[m.pk] for m in own)}
            for name, own in group_by_domain(mailboxes)
        }
    )
    return changed


def _get_edited_columns(changes: Changes, values: dict, domain: Domain | None) -> dict:
    """Return the columns to set: a quota in bytes, and when a new password expires."""
    columns = {name: value for name, value in values.items() if name not in OTHER_VALUES}
    if "quota" in values:
        columns["quota"] = megabytes_to_bytes(values["quota"])
    if "password" in values:
        columns = {"password_expiry": get_password_expiry(changes, domain)} | columns
    return columns


def _check_edited_quotas(
    changes: Changes, edits: list[tuple[Mailbox, dict]], domains: dict[str, Domain]
) -> None:
    """Refuse larger quotas that are not allowed, or together more than the domain has left."""
    edited = {mailbox.pk: copy_with_values(mailbox, values) for mailbox, values in edits}
    for domain, mailboxes in group_by_domain([mailbox for mailbox, _values in edits], domains):
        larger = [edited[m.pk] for m in mailboxes if is_quota_increase(m, edited[m.pk])]
        if not larger or not isinstance(domain, Domain):
            continue  # a domain that another program has deleted has no limits
        for mailbox in larger:
            check_mailbox_quota(domain, mailbox, changes.principal)
        different = [edited[m.pk] for m in mailboxes if edited[m.pk].quota != m.quota]
        check_domain_quota(domain, different, changes.principal)


def set_mailboxes(changes: Changes, keys: list[str], field: str, value: bool) -> None:
    """Set a boolean column of mailboxes; their aliases follow."""
    lock_domains(changes, find_domain_names(Mailbox, keys))
    mailboxes = changes.find(Mailbox, keys)
    changed = changes.update(mailboxes, **{field: value})
    if field == "active":
        _sync_alias_active(changes, mailboxes)
        cached_stats.refresh_undeliverable([], {mailbox.domain_id for mailbox in changed})
    if field == "active" and not value:
        end_sessions(changed)
    for mailbox in changed:
        changes.log("edit_mailbox", mailbox.domain_id, mailbox.pk)


def delete_mailboxes(changes: Changes, keys: list[str]) -> None:
    """Delete mailboxes and all rows that belong to them; their mail stays on the disk."""
    lock_domains(changes, find_domain_names(Mailbox, keys))
    mailboxes = changes.find(Mailbox, keys)
    changes.delete(Alias.objects.filter(pk__in=keys))
    delete_text_references(changes, keys)
    end_sessions(mailboxes)
    forget_mails_to(keys)
    changes.delete(mailboxes)
    adjust_tallies_of_domains(
        {
            domain: {"mailboxes": -len(gone), "quota_assigned": -sum_assigned_quota(gone)}
            for domain, gone in group_by_domain(mailboxes)
        }
    )
    cached_stats.refresh_undeliverable([], {mailbox.domain_id for mailbox in mailboxes})
    for mailbox in mailboxes:
        changes.log("delete_mailbox", mailbox.domain_id, mailbox.pk)


def set_password(
    changes: Changes,
    model: type[Principal],
    key: str,
    stored: str,
    revokes_app_passwords: bool = False,
    typed: tuple[str, str] | None = None,
) -> Principal:
    """Set the password hash of an admin or a mailbox, whose app passwords can end with it.

    `typed` are the old password, empty where nobody entered it, and the new one.
    """
    person = changes.find_one(model, key)
    values: dict[str, object] = {"password": stored}
    if isinstance(person, Mailbox):
        values["password_expiry"] = get_password_expiry(
            changes, Domain.objects.filter(pk=person.domain_id).first()
        )
    changes.update([person], **values)
    changes.log("edit_password", getattr(person, "domain_id", ""), key)
    if revokes_app_passwords and isinstance(person, Mailbox):
        revoke_all_app_passwords(changes, [person.pk])
    if typed and isinstance(person, Mailbox):
        queue_password_script(person, *typed)
    return person


def get_password_expiry(changes: Changes, domain: Domain | None) -> datetime.datetime:
    """Return when a password that is set now expires, as PostfixAdmin 4.0.6 stores it."""
    days = domain.expiry_days if domain else 0
    return changes.at + datetime.timedelta(days=days) if days else NO_END


def lock_mailbox(changes: Changes, key: str) -> tuple[Mailbox, Domain | None]:
    """Lock the domain of a mailbox; return the mailbox, and the domain if it has a row."""
    lock_domains(changes, find_domain_names(Mailbox, [key]))
    mailbox = changes.find_one(Mailbox, key)
    return mailbox, find_domain(mailbox.domain_id)


def _sync_alias_active(changes: Changes, mailboxes: list[Mailbox]) -> list[Alias]:
    """Set `active` of aliases to that of their mailboxes: the mail server's maps read the alias."""
    own = Alias.objects.filter(pk__in=[mailbox.pk for mailbox in mailboxes])
    aliases = {fold(alias.pk): alias for alias in own}
    followed = []
    for active in (True, False):
        keys = [fold(mailbox.pk) for mailbox in mailboxes if mailbox.active is active]
        rows = [aliases[key] for key in keys if key in aliases]
        followed += changes.update(rows, active=active)
    return followed
