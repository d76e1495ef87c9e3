"""Create, use and revoke the links by which somebody sets up a device for a mailbox.

The link creates the app password when it is used, so that none is stored until then. The hash of
its secret is bound to the mailbox as it is: one created later with the same name has other links.
"""

import datetime
import secrets
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from mailadmin.accounts.recovery.policy import has_links
from mailadmin.changes.perform import Changes
from mailadmin.db.fields import is_known_date
from mailadmin.housekeeping import delete_in_batches
from mailadmin.mails.mail_kinds import MailKind
from mailadmin.mails.notices import ACCOUNT, build_notice
from mailadmin.mails.queue import queue_mails
from mailadmin.translation import gettext_lazy as _
from mailboxes.models import AppPassword, DeviceLink, Mailbox
from mailboxes.services.app_passwords import create_app_password

HASH_SALT = "mailadmin.mailboxes.device_links"
SECRET_BYTES = 32
MAX_NUMBER_LENGTH = 10  # of the number of a link in its code
MAX_OPEN_LINKS = 20  # of one mailbox
OWN_LIFETIME = datetime.timedelta(hours=1)  # the owner has the device at hand
HANDED_OVER_LIFETIME = datetime.timedelta(days=3)
PURGE_INTERVAL = 3600  # seconds
DEVICE_LINK = MailKind(
    "device_link",
    _("Link to set up a device"),
    "An administrator sent a link to set up a mail program or a phone.",
    _("Set up your device for %(account)s"),
    _(
        "With this link you set up a phone or a mail program for the mailbox %(account)s:\n\n"
        "%(link)s\n\n"
        "Open it on the device. It can be used once, within three days."
    ),
    ACCOUNT | {"link": "the address of the page that sets up the device"},
    links=frozenset({"link"}),
)


def create_device_link(
    changes: Changes, key: str, lifetime: datetime.timedelta, send_to: str = ""
) -> DeviceLink:
    """Create a link for a mailbox, and send it to this address; its `url` is not stored."""
    if not has_links():
        raise ValidationError(
            _("Links need MAILADMIN_URL, which the operator of the panel has to set.")
        )
    mailbox = changes.find_one(Mailbox, key)
    open_links = DeviceLink.objects.filter(mailbox=mailbox.pk, expires__gt=changes.at)
    if open_links.count() >= MAX_OPEN_LINKS:
        raise ValidationError(
            _("This mailbox has too many links. Revoke one before you create another.")
        )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    link = DeviceLink(
        mailbox_id=mailbox.pk,
        secret_hash=hash_secret(mailbox, secret),
        created_by=changes.actor.name,
        created=changes.at,
        expires=changes.at + lifetime,
    )
    changes.create([link])
    link.url = f"{settings.MAILADMIN_URL}{reverse('device-link', args=[f'{link.pk}.{secret}'])}"
    if send_to:
        queue_mails(
            DEVICE_LINK.name, [build_notice(mailbox, DEVICE_LINK.name, {"link": link.url}, send_to)]
        )
    changes.log("create_device_link", mailbox.domain_id, mailbox.pk)
    return link


def find_open_link(code: str) -> DeviceLink | None:
    """Return the link of this code with its mailbox, if it can be used now."""
    number, _dot, secret = code.partition(".")
    if not (number.isascii() and number.isdecimal() and len(number) <= MAX_NUMBER_LENGTH):
        return None
    links = DeviceLink.objects.filter(pk=int(number), mailbox__active=True)
    link = links.select_related("mailbox").first()
    if link is None or not link.is_open(timezone.now()):
        return None
    is_valid = constant_time_compare(link.secret_hash, hash_secret(link.mailbox, secret))
    return link if is_valid else None


def use_device_link(
    changes: Changes, key: int, description: str, limits: dict[str, Any], text: str
) -> AppPassword:
    """Create an app password by a link, and end the link; refuse one that was used or has ended."""
    mailbox = changes.principal
    own = DeviceLink.objects.filter(mailbox=mailbox.pk, expires__gt=changes.at)
    if not own.select_for_update().filter(pk=key).exists():
        raise ValidationError(_("This link is no longer valid."), code="link")
    row = create_app_password(changes, mailbox.pk, description, limits, text)
    delete_links(changes, [key])
    return row


def revoke_device_links(changes: Changes, keys: Sequence[int]) -> None:
    """Delete links, so that they can no longer be used."""
    for link in delete_links(changes, keys):
        domain = str(link.mailbox_id).rpartition("@")[2]
        changes.log("delete_device_link", domain, link.mailbox_id)


def delete_links(changes: Changes, keys: Sequence[int]) -> list[DeviceLink]:
    """Delete links and return them."""
    links = changes.find(DeviceLink, keys)
    changes.delete(links)
    return links


def hash_secret(mailbox: Mailbox, secret: str) -> str:
    """Return what is stored of a secret."""
    created = int(mailbox.created.timestamp()) if is_known_date(mailbox.created) else 0
    text = f"{mailbox.pk}\n{created}\n{secret}"
    return salted_hmac(HASH_SALT, text, algorithm="sha256").hexdigest()


def purge_expired_links() -> None:
    """Delete the links that can no longer be used."""
    delete_in_batches(DeviceLink.objects.filter(expires__lt=timezone.now()))
