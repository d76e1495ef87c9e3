"""Ask people to set a new password: by mail, and before the panel opens any other page for them."""

from collections.abc import Iterable

from mailadmin.accounts.models import PasswordRequest, Principal
from mailadmin.accounts.recovery.invitations import has_no_password
from mailadmin.changes.perform import Changes
from mailadmin.changes.records import get_row_domain
from mailadmin.db.bulk import chunks, insert_rows
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, queue_notices
from mailadmin.tables.actions import Action
from mailadmin.translation import gettext_lazy as _

PASSWORD_REQUESTED = MailKind(
    "password_requested",
    _("New password requested"),
    "An administrator asked the owner of an account to set a new password.",
    _("Please set a new password for %(account)s"),
    _(
        "Your administrator asks you to set a new password for the account %(account)s. Sign in,"
        " and the page for a new password opens.\n\n"
        "Your mail is still delivered, and your devices can fetch it, until you set the new"
        " password. Then enter it on your devices too.\n\n"
        "%(panel)s"
    ),
    ACCOUNT,
    links=frozenset({"panel"}),
)
LOG_LABELS = {"request_password": _("new password requested")}


def request_passwords(changes: Changes, model: type[Principal], keys: Iterable[str]) -> int:
    """Ask these people to set a new password; nobody is locked out of their mail.

    Return how many were asked: people without a password are left out, as an invitation asks them
    for one. Inactive people get no mail, and are asked when they can sign in again.
    """
    people = [person for person in changes.find(model, keys) if not has_no_password(person)]
    store_requests(changes, people)
    for person in people:
        changes.log("request_password", get_row_domain(person), person.pk)
    queue_notices(PASSWORD_REQUESTED.name, [(person, {}) for person in people if person.active])
    return len(people)


def find_open_request(person: Principal) -> PasswordRequest | None:
    """Return the request that this person has not answered yet, if there is one."""
    digest = PasswordRequest.digest_of(person.password)
    key = person.account_key
    return PasswordRequest.objects.filter(pk=key, digest=digest).first()


def store_requests(changes: Changes, people: list[Principal]) -> None:
    rows = [
        PasswordRequest(
            key=person.account_key,
            digest=PasswordRequest.digest_of(person.password),
            at=changes.at,
        )
        for person in people
    ]
    for part in chunks([row.key for row in rows]):
        PasswordRequest.objects.filter(pk__in=part).delete()
    insert_rows(rows)


def renew_password_request(person: Principal, stored: str) -> None:
    """Keep a request open although the same password is stored in another scheme."""
    if request := find_open_request(person):
        request.digest = PasswordRequest.digest_of(stored)
        request.save(update_fields=["digest"])


REQUEST_PASSWORD = Action(
    "request_password",
    _("Request a new password"),
    _("Request new passwords for %(rows)s"),
    _("Requested a new password for %(row)s."),
    _("Requested new passwords for %(rows)s."),
    icon="key",
    service=request_passwords,
    explanation=_(
        "They get an email about it, and the panel opens no other page for them until they have"
        " set a new password. Their mail is not interrupted. People without a password are left"
        " out."
    ),
)
