"""Queue mails: called by services, so that a mail exists exactly if the service is committed."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail.utils import DNS_NAME

from mailadmin import registry
from mailadmin.db.bulk import insert_rows
from mailadmin.mails.languages import find_recipient_languages, get_known_language
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.models import OutgoingMail
from mailadmin.mails.values import seal_values
from mailadmin.names import try_normalize_address
from mailadmin.translation import gettext_lazy as _

# One ASCII address without a name, as it is given to the SMTP server.
RECIPIENT_RE = re.compile(r"[!-~]+@[A-Za-z0-9_.-]+")
FORBIDDEN_RE = re.compile(r'[@,;:<>()\[\]\\"]')  # in the local part


class NewMail(NamedTuple):
    """A mail to be queued. The reader's language is looked up, unless it is given.

    `domain` is that of the account which the mail is about: its admins see the mail in the queue.
    `batch` names mails that belong together.
    """

    recipient: str
    values: Mapping[str, Any]
    language: str = ""
    domain: str | None = None
    sender: str = ""
    batch: str = ""


def queue_mail(
    kind: str,
    recipient: str,
    values: Mapping[str, Any],
    language: str = "",
    *,
    domain: str | None = None,
    sender: str = "",
) -> None:
    """Queue a mail within the current transaction."""
    queue_mails(kind, [NewMail(recipient, values, language, domain, sender)])


def queue_mails(kind: str, mails: Sequence[NewMail]) -> None:
    """Queue mails of one kind within the current transaction."""
    declared = registry.mail_kinds[kind]
    unknown = [mail.recipient for mail in mails if not mail.language]
    languages = find_recipient_languages(unknown) if unknown else {}
    insert_rows([build_row(declared, mail, languages) for mail in mails])


def build_row(kind: MailKind, mail: NewMail, languages: Mapping[str, str]) -> OutgoingMail:
    check_values(kind, mail.values)
    recipient = try_normalize_address(mail.recipient)
    if not is_possible_recipient(recipient):
        raise ValidationError(
            _("“%(value)s” is not a valid email address."), params={"value": mail.recipient}
        )
    language = mail.language or languages.get(mail.recipient)
    return OutgoingMail(
        kind=kind.name,
        recipient=recipient,
        sender=choose_sender(mail, recipient),
        language=get_known_language(language),
        domain_id=mail.domain or None,
        message_id=make_message_id(),
        sealed_values=seal_values(mail.values),
        batch=mail.batch,
    )


def check_values(kind: MailKind, values: Iterable[str]) -> None:
    """Refuse a call without the values that the texts of this kind may use."""
    if set(values) != set(kind.placeholders):
        raise ValueError(f"mail {kind.name} needs {sorted(kind.placeholders)}")


def is_possible_recipient(address: str) -> bool:
    """Return whether this is one address, that no server takes for several or for a header."""
    local_part, _at, _domain = address.rpartition("@")
    fits = RECIPIENT_RE.fullmatch(address) and not FORBIDDEN_RE.search(local_part)
    return bool(fits) and len(address) <= 255


def choose_sender(mail: NewMail, recipient: str) -> str:
    """Return the sender: of the settings, who caused the mail, or the postmaster of the domain."""
    domain = mail.domain or recipient.rpartition("@")[2]
    wanted = settings.MAILADMIN_ADMIN_EMAIL or mail.sender
    return wanted if is_possible_recipient(wanted) else f"postmaster@{domain}"


def make_message_id() -> str:
    """Return the Message-ID, which a mail keeps however often it is sent."""
    return f"<{uuid.uuid4()}@{settings.URL.hostname or DNS_NAME}>"


def forget_mails_to(recipients: Iterable[str]) -> None:
    """Delete what was to be sent to these addresses, which are deleted, or was sent to them."""
    OutgoingMail.objects.filter(recipient__in=list(recipients)).delete()
