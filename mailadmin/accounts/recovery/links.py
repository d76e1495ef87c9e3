"""Links with a code for one use: how they are built, and what of them is stored.

PostfixAdmin's column `token` holds a keyed hash of the code, `token_validity` its end. The hash is
bound to the account as it is: a new password, ended sessions, another recovery address, or a new
account of the same name make it useless.
"""

import base64
import binascii
import datetime
import secrets
from typing import NamedTuple

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from mailadmin.accounts.backends import PRINCIPAL_BACKENDS, find_backend
from mailadmin.accounts.models import Principal
from mailadmin.changes.perform import Changes
from mailadmin.db.fields import is_known_date
from mailadmin.names import fold

HASH_SALT = "mailadmin.accounts.recovery"
SECRET_BYTES = 32
MAX_CODE_LENGTH = 1000


class LinkPurpose(NamedTuple):
    """What a link is for, and for how long it can be used."""

    name: str
    lifetime: datetime.timedelta


RECOVERY = LinkPurpose("recovery", datetime.timedelta(hours=1))
INVITATION = LinkPurpose("invitation", datetime.timedelta(days=3))
PURPOSES = {purpose.name: purpose for purpose in (RECOVERY, INVITATION)}


class OpenLink(NamedTuple):
    """A link that can be used now: whose it is, and what it is for."""

    person: Principal
    purpose: LinkPurpose


def create_link(changes: Changes, person: Principal, purpose: LinkPurpose) -> str:
    """Return the address of a new link for this person; an earlier one ends."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    changes.update(
        [person],
        token=hash_secret(person, purpose, secret),
        token_validity=changes.at + purpose.lifetime,
    )
    return f"{settings.MAILADMIN_URL}{reverse('recover-link', args=[join_code(person, secret)])}"


def end_link(changes: Changes, person: Principal) -> None:
    """Make the link of this person useless."""
    changes.update([person], token="", token_validity=changes.at)


def find_open_link(code: str) -> OpenLink | None:
    """Return whose link has this code, if it can be used now."""
    model_name, key, secret = split_code(code)
    if model_name not in [backend.model_name for backend in PRINCIPAL_BACKENDS]:
        return None
    person = find_backend(model_name).get_user(key)
    if person is None or fold(person.pk) != fold(key):
        return None
    purpose = find_purpose(person, secret)
    return OpenLink(person, purpose) if purpose else None


def find_purpose(person: Principal, secret: str) -> LinkPurpose | None:
    """Return what this secret lets the person do now; None if it is not valid."""
    purpose = PURPOSES.get(person.token.partition(":")[0])
    if purpose is None or not is_known_date(person.token_validity):
        return None
    if person.token_validity <= timezone.now():
        return None
    is_valid = constant_time_compare(person.token, hash_secret(person, purpose, secret))
    return purpose if is_valid else None


def hash_secret(person: Principal, purpose: LinkPurpose, secret: str) -> str:
    """Return what is stored of a secret; an earlier account of the name had another."""
    created = int(person.created.timestamp()) if is_known_date(person.created) else 0
    account = (purpose.name, person.model_label, person.pk, created, person.email_other)
    text = "\n".join(map(str, (*account, person.get_session_auth_hash(), secret)))
    return f"{purpose.name}:{salted_hmac(HASH_SALT, text, algorithm='sha256').hexdigest()}"


def join_code(person: Principal, secret: str) -> str:
    """Return the code of a link: who is meant, encoded for URLs, and the secret."""
    owner = base64.urlsafe_b64encode(f"{person.model_label}:{person.pk}".encode())
    return f"{owner.decode().rstrip('=')}.{secret}"


def split_code(code: str) -> tuple[str, str, str]:
    """Return model, key and secret of a code; empty texts for anything else."""
    owner, _dot, secret = code.partition(".")
    if len(code) > MAX_CODE_LENGTH or not owner.isascii():
        return "", "", ""
    try:
        text = base64.urlsafe_b64decode(owner + "=" * (-len(owner) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", "", ""
    model_name, _colon, key = text.partition(":")
    return model_name, key, secret
