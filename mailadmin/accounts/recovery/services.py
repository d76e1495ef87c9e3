"""Recover an account by a link; change the address that links are sent to."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from mailadmin.accounts.models import Principal
from mailadmin.accounts.recovery.links import RECOVERY, LinkPurpose, end_link, find_purpose
from mailadmin.accounts.recovery.policy import can_recover
from mailadmin.accounts.sessions import end_sessions
from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.changes.records import get_row_domain
from mailadmin.mails.notices import notify_person
from mailadmin.translation import gettext_lazy as _


def take_link(changes: Changes, model: type[Principal], key: str, secret: str) -> LinkPurpose:
    """Use up a link and return what it was for; refuse one that was used or has ended."""
    person = changes.find_one(model, key)
    purpose = find_purpose(person, secret)
    if purpose is None or (purpose is RECOVERY and not can_recover(person)):
        raise ValidationError(_("This link is no longer valid. Request a new one."))
    end_link(changes, person)
    return purpose


def finish_recovery(changes: Changes, person: Principal, purpose: LinkPurpose) -> None:
    """End all sessions of a person who has a new password, and tell them if they had another."""
    end_sessions([person])
    changes.log("recover_password", get_row_domain(person), person.pk)
    if purpose is RECOVERY:
        notify_person(person, "password_recovered", describe_client(changes.actor))


def set_recovery_address(
    changes: Changes, model: type[Principal], key: str, address: str
) -> Principal:
    """Set the address to which links for this person are sent; empty for none."""
    person = changes.find_one(model, key)
    notify_of_new_addresses(changes, [(person, {"email_other": address})])
    if changes.update([person], email_other=address):
        changes.log("edit_recovery_address", get_row_domain(person), person.pk)
    return person


def notify_of_new_addresses(
    changes: Changes, edits: Iterable[tuple[Any, Mapping[str, Any]]]
) -> None:
    """Tell people, at the addresses they had before, of edits that give them another one."""
    for person, columns in edits:
        if columns.get("email_other", person.email_other) != person.email_other:
            notify_person(person, "recovery_address_changed", describe_client(changes.actor))
