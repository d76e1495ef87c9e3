"""Passkeys (WebAuthn): what browsers are asked for, and the verification of their answers."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import webauthn
from cbor2 import CBORError
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from webauthn.helpers import (
    bytes_to_base64url,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from mailadmin.accounts.backends import find_backend
from mailadmin.accounts.factors.models import (
    CHALLENGE_SECONDS,
    Passkey,
    UsedChallenge,
    get_owner_columns,
)
from mailadmin.accounts.models import Principal, is_later_namesake
from mailadmin.accounts.networks import is_ip_address
from mailadmin.db.retry import retry_on_deadlock

CHALLENGE_BYTES = 16
USER_ID_LENGTH = 32
# What the libraries raise for an answer that no browser would give.
MALFORMED_ERRORS = (
    WebAuthnException,
    CBORError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)

DEFAULT_PORTS = {"http": 80, "https": 443}
PREFERRED = UserVerificationRequirement.PREFERRED
REQUIRED = UserVerificationRequirement.REQUIRED


class Site(NamedTuple):
    """What a passkey is bound to: the panel's host name, and the origin of its pages."""

    host: str
    origin: str


def get_site() -> Site | None:
    """Return what passkeys are bound to; None without a host name in MAILADMIN_URL.

    A request's own Host header could name another site.
    """
    url = urlsplit(settings.MAILADMIN_URL or "")
    if not url.hostname or is_ip_address(url.hostname):
        return None
    is_default_port = url.port in (None, DEFAULT_PORTS.get(url.scheme))
    port = "" if is_default_port else f":{url.port}"
    return Site(url.hostname, f"{url.scheme}://{url.hostname}{port}")


def require_site() -> Site:
    site = get_site()
    if site is None:
        raise ValidationError(_("Passkeys need the setting MAILADMIN_URL."))
    return site


# What the browser is asked for


def build_creation_options(person: Principal, existing: Iterable[Passkey]) -> str:
    """Return the options for a new passkey as JSON; a device makes one passkey per person."""
    host = require_site().host
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=host,
        user_id=bytes.fromhex(person.account_key)[:USER_ID_LENGTH],
        user_name=person.username,
        challenge=issue_challenge("create", person.account_key),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=PREFERRED
        ),
        exclude_credentials=[describe_passkey(passkey) for passkey in existing],
    )
    return webauthn.options_to_json(options)


def build_own_options(person: Principal, needs_verified_user: bool = False) -> str:
    """Return the options for one of a person's passkeys as JSON; empty if they have none."""
    passkeys = list_passkeys(person) if get_site() else []
    verification = REQUIRED if needs_verified_user else PREFERRED
    return build_request_options(person.account_key, passkeys, verification) if passkeys else ""


def build_request_options(
    account: str = "",
    passkeys: Iterable[Passkey] = (),
    verification: UserVerificationRequirement = REQUIRED,
) -> str:
    """Return the options for one of these passkeys; by default for any that the browser knows."""
    options = webauthn.generate_authentication_options(
        rp_id=require_site().host,
        challenge=issue_challenge("use", account),
        allow_credentials=[describe_passkey(passkey) for passkey in passkeys],
        user_verification=verification,
    )
    return webauthn.options_to_json(options)


def list_passkeys(person: Principal) -> list[Passkey]:
    return list(Passkey.objects.owned_by(person).order_by("created", "pk"))


def describe_passkey(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=webauthn.base64url_to_bytes(passkey.credential_id),
        transports=[AuthenticatorTransport(name) for name in passkey.transports],
    )


# Challenges: signed, so that none is stored for every visitor of the login page


def issue_challenge(purpose: str, account: str) -> bytes:
    return (
        get_challenge_signer(purpose, account).sign(secrets.token_urlsafe(CHALLENGE_BYTES)).encode()
    )


def get_challenge_signer(purpose: str, account: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=f"mailadmin.passkey.{purpose}.{account}")


def check_challenge(client_data: bytes, purpose: str, account: str) -> bytes:
    """Return the challenge of an answer, if it is one of ours and not too old."""
    challenge = parse_client_data_json(client_data).challenge
    signer = get_challenge_signer(purpose, account)
    signer.unsign(challenge.decode(), max_age=CHALLENGE_SECONDS)
    return challenge


def consume_challenge(challenge: bytes) -> None:
    """Store that the challenge was used; refuse one that was used before."""
    digest = hashlib.sha256(challenge).hexdigest()
    try:
        retry_on_deadlock(lambda: store_used_challenge(digest))
    except IntegrityError:
        raise build_refusal() from None


def store_used_challenge(digest: str) -> None:
    with transaction.atomic():
        UsedChallenge.objects.create(digest=digest, used=timezone.now())


# Answers of browsers


def read_new_passkey(person: Principal, answer: str, name: str) -> Passkey:
    """Return the passkey that a browser has created, yet to be stored."""
    site = require_site()
    try:
        credential = parse_registration_credential_json(answer)
        data = credential.response.client_data_json
        challenge = check_challenge(data, "create", person.account_key)
        verified = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
        )
    except (*MALFORMED_ERRORS, signing.BadSignature):
        raise build_refusal() from None
    consume_challenge(challenge)
    return Passkey(
        name=name,
        digest=hash_credential_id(verified.credential_id),
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        sign_count=verified.sign_count,
        transports=[t.value for t in credential.response.transports or []],
        **get_owner_columns(person),
    )


@dataclass(frozen=True)
class PasskeyAnswer:
    """The answer of a browser, not verified yet, with the passkey and person that it names."""

    credential: AuthenticationCredential
    passkey: Passkey
    owner: Principal

    @classmethod
    def read(cls, text: str) -> Self:
        """Read an answer; refuse one that names no passkey of an active person."""
        try:
            credential = parse_authentication_credential_json(text)
        except MALFORMED_ERRORS:
            raise build_refusal() from None
        digest = hash_credential_id(credential.raw_id)
        passkey = Passkey.objects.filter(digest=digest).first()
        owner = passkey and find_backend(passkey.owner_model).get_user(passkey.owner_key)
        if not passkey or not owner or is_later_namesake(owner, passkey.created):
            raise ValidationError(_("This passkey is not known here. It may have been removed."))
        return cls(credential, passkey, owner)

    def verify_for(self, person: Principal, needs_verified_user: bool = False) -> None:
        """Verify that this person has used one of their passkeys."""
        account = person.account_key
        if self.owner.account_key != account:
            raise build_refusal()
        self._verify(account, needs_verified_user)

    def verify_alone(self) -> None:
        """Verify a sign-in without a password: the device must have verified its user."""
        self._verify("", needs_verified_user=True)

    def _verify(self, account: str, needs_verified_user: bool) -> None:
        site = require_site()
        try:
            data = self.credential.response.client_data_json
            challenge = check_challenge(data, "use", account)
            verified = webauthn.verify_authentication_response(
                credential=self.credential,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=webauthn.base64url_to_bytes(self.passkey.public_key),
                credential_current_sign_count=self.passkey.sign_count,
                require_user_verification=needs_verified_user,
            )
        except (*MALFORMED_ERRORS, signing.BadSignature):
            raise build_refusal() from None
        consume_challenge(challenge)
        used = {"sign_count": verified.new_sign_count, "last_used": timezone.now()}
        rows = Passkey.objects.filter(pk=self.passkey.pk)
        retry_on_deadlock(lambda: rows.update(**used))


def hash_credential_id(credential_id: bytes) -> str:
    return hashlib.sha256(credential_id).hexdigest()


def build_refusal() -> ValidationError:
    return ValidationError(_("The passkey was not accepted. Try again."))
