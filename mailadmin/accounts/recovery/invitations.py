"""Invitations: a link by which a new person sets their first password."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from mailadmin.accounts.models import Principal
from mailadmin.accounts.recovery.links import INVITATION, create_link, end_link
from mailadmin.accounts.signed_in import describe_client
from mailadmin.changes.perform import Changes
from mailadmin.changes.records import get_row_domain
from mailadmin.mails.notices import build_notice
from mailadmin.mails.queue import queue_mails
from mailadmin.passwords import UNUSABLE_HASH
from mailadmin.translation import gettext_lazy as _

HANDOVER_KEY = "mailadmin_invitation"  # a link to be shown once, in the data of a session


def has_no_password(person: Principal) -> bool:
    """Return whether the person has yet to set their first password."""
    return person.password in ("", UNUSABLE_HASH)


def is_invited(person: Principal) -> bool:
    """Return whether the person has a link that they can use now."""
    return person.token.startswith(f"{INVITATION.name}:") and person.token_validity > timezone.now()


def check_invitation(person: Principal, address: str) -> None:
    """Refuse an invitation without the address of the panel, or to the account itself."""
    if not settings.MAILADMIN_URL:
        raise ValidationError(
            _("Invitations need MAILADMIN_URL, which the operator of the panel has to set.")
        )
    if problem := person.find_recovery_address_problem(address):
        raise ValidationError(problem)


def invite(changes: Changes, person: Principal, address: str) -> None:
    """Send a link to this address; `invitation_link` has it for who hands it over."""
    check_invitation(person, address)
    person.invitation_link = create_link(changes, person, INVITATION)
    values = describe_client(changes.actor) | {"link": person.invitation_link}
    queue_mails("invitation", [build_notice(person, "invitation", values, address)])
    changes.log("send_invitation", get_row_domain(person), person.pk)


def invite_new_people(
    changes: Changes, people: Iterable[Principal], rows: Iterable[dict[str, Any]]
) -> None:
    """Invite those of these new people whose row names an address."""
    for person, row in zip(people, rows, strict=True):
        if address := row.get("invitation_to"):
            invite(changes, person, address)


def invite_again(changes: Changes, model: type[Principal], key: str, address: str) -> Principal:
    """Send a new link to a person who has no password yet; an earlier one ends."""
    person = changes.find_one(model, key)
    if not has_no_password(person):
        raise ValidationError(_("%(person)s has a password already."), params={"person": person})
    invite(changes, person, address)
    return person


def revoke_invitation(changes: Changes, model: type[Principal], key: str) -> None:
    """Make the link of an invitation useless."""
    person = changes.find_one(model, key)
    if is_invited(person):
        end_link(changes, person)
        changes.log("revoke_invitation", get_row_domain(person), person.pk)


def keep_link(request: HttpRequest, person: Any) -> None:
    """Keep the link of a new invitation for the page that shows it once."""
    if link := getattr(person, "invitation_link", ""):
        request.session[HANDOVER_KEY] = [person.model_label, person.pk, link]


def pop_link(request: HttpRequest, person: Principal) -> str:
    """Return the link of the invitation that was just made; empty if it was shown before."""
    model_label, key, link = request.session.pop(HANDOVER_KEY, ("", "", ""))
    return link if (model_label, key) == (person.model_label, person.pk) else ""
