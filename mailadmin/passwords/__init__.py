"""Passwords: the schemes of Dovecot 2.3 and PostfixAdmin, and rules for new passwords."""

import functools
import logging
import re
import secrets

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.passwords import schemes
from mailadmin.passwords.limits import MAX_PASSWORD_BYTES, Unreadable
from mailadmin.passwords.rules import generate, rules, unfit, validate
from mailadmin.passwords.schemes import Choice
from mailadmin.passwords.stored import (
    configured,
    cost,
    cost_of,
    is_as_configured,
    is_hash_shaped,
    kind,
    prefix_for,
    readings,
)

__all__ = [
    "generate",
    "is_hash_shaped",
    "is_known_scheme",
    "is_readable",
    "known_schemes",
    "make",
    "needs_update",
    "rules",
    "spend",
    "unsupported_scheme",
    "validate",
    "verify",
    "verify_evenly",
]

logger = logging.getLogger("mailadmin.passwords")

STORED_LENGTH = 255  # of PostfixAdmin's password columns
DECOY = "nobody@invalid"


def make(password: str, username: str = "", scheme: str | None = None) -> str:
    """What to store for this password; ValidationError where the scheme cannot take it."""
    choice = configured() if scheme is None else _named(scheme)
    if problems := unfit(password, choice):
        raise ValidationError(problems)
    try:
        body = _body(choice, password, username, cost(choice))
    except Unreadable as error:
        logger.error("The password scheme %s cannot be used: %s.", choice.name, error)
        raise ValidationError(
            _("The password scheme %(scheme)s cannot be used here; the program's log says why."),
            params={"scheme": choice.name},
        ) from error
    stored = prefix_for(choice, body) + body
    if len(stored) > STORED_LENGTH:
        raise ValidationError(_("The password is too long to be stored in this scheme."))
    return stored


def _named(scheme: str) -> Choice:
    choice = schemes.find_writable(scheme)
    if choice is None:
        raise ValidationError(_("There is no such password scheme."))
    return choice


def _body(choice: Choice, password: str, username: str, rounds: int) -> str:
    data = choice.scheme.make(password.encode(), username, rounds)
    return schemes.encode(choice.scheme, choice.encoding, data)


def verify(password: str, stored: str, username: str = "") -> bool:
    """Whether this is the password. What cannot be read is a no and a line in the log."""
    return _verdict(password, stored, username) is True


def verify_evenly(password: str, stored: str, username: str = "") -> bool:
    """The same, with the cost of the configured scheme spent where the hash is of another.

    The time that an attempt takes must not tell who has an account here.
    """
    verdict = _verdict(password, stored, username)
    if verdict is None or not _costs_as_configured(stored):
        spend(password)
    return verdict is True


def _costs_as_configured(stored: str) -> bool:
    """Whether verifying this value takes as long as verifying a new one."""
    choice = configured()
    try:
        reading, body = next(readings(stored))
        decoy = _decoy(choice, cost(choice)).removeprefix(choice.prefix)
    except Unreadable:
        return False
    return kind(reading, body) == choice.kind and cost_of(body) == cost_of(decoy)


def _verdict(password: str, stored: str, username: str) -> bool | None:
    """Whether this is the password; None where nothing was computed to find that out."""
    secret = _sendable(password)
    if secret is None:
        return None
    try:
        candidates = list(readings(stored or ""))
    except Unreadable as error:
        return _refuse(error, username)
    found = [_check(*candidate, secret, username) for candidate in candidates]
    return True in found or (None if None in found else False)


def _sendable(password: str) -> bytes | None:
    """What Dovecot would get to see, or None where it cannot be sent."""
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return None if b"\0" in secret or len(secret) > MAX_PASSWORD_BYTES else secret


def _check(choice: Choice, body: str, secret: bytes, username: str) -> bool | None:
    try:
        data = schemes.decode(choice.scheme, choice.encoding, body)
        return choice.scheme.check(secret, data, username)
    except Unreadable as error:
        return _refuse(error, username)


def _refuse(error: Unreadable, username: str) -> None:
    logger.warning("The stored password of %r cannot be verified: %s.", username, error)


def is_readable(stored: str) -> bool:
    """Whether a stored value is of a scheme that is known, so that it may let somebody in."""
    try:
        return any(True for _reading in readings(stored))
    except Unreadable:
        return False


def unsupported_scheme(stored: str) -> str:
    """The scheme that a stored value names, if Dovecot and the panel have no such scheme."""
    named = re.match(r"\{([^{}]+)\}", stored or "")
    return named[1].upper() if named and schemes.find(named[1]) is None else ""


def needs_update(stored: str) -> bool:
    """Whether the configured scheme and prefix would store something of another kind."""
    return not is_as_configured(stored)


def spend(password: str) -> None:
    """Cost what verifying a hash of the configured scheme costs: for names that do not exist."""
    choice = configured()
    try:
        verify(password, _decoy(choice, cost(choice)), DECOY)
    except Unreadable as error:
        _refuse(error, DECOY)


@functools.lru_cache(maxsize=8)
def _decoy(choice: Choice, rounds: int) -> str:
    return choice.prefix + _body(choice, secrets.token_hex(16), DECOY, rounds)


def known_schemes() -> tuple[str, ...]:
    """The names MAILADMIN_PASSWORD_SCHEME may have, each also with .HEX or .B64 behind it."""
    return tuple(sorted(schemes.SCHEMES))


def is_known_scheme(name: str) -> bool:
    """Whether MAILADMIN_PASSWORD_SCHEME may be this; PostfixAdmin's spellings count."""
    return schemes.find_writable(name) is not None
