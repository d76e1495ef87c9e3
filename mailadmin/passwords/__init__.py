"""Passwords: the schemes of Dovecot 2.3 and PostfixAdmin, and the rules for new passwords."""

import functools
import logging
import re
import secrets
import time

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.passwords import schemes
from mailadmin.passwords.limits import MAX_PASSWORD_BYTES, UnverifiableHash
from mailadmin.passwords.rules import (
    describe_rules,
    find_broken_rules,
    find_scheme_problems,
    generate_password,
    get_min_length,
    validate_password,
)
from mailadmin.passwords.schemes import SchemeChoice
from mailadmin.passwords.stored import (
    choose_prefix,
    get_configured_rounds,
    get_configured_scheme,
    get_scheme_name,
    is_hash_like,
    iter_candidates,
    matches_configuration,
    parse_cost,
)

__all__ = [
    "generate_password",
    "is_hash_like",
    "is_known_scheme",
    "is_verifiable",
    "get_min_length",
    "get_scheme_names",
    "make_hash",
    "measure_hash_seconds",
    "needs_rehash",
    "describe_rules",
    "find_broken_rules",
    "simulate_verify",
    "find_unsupported_scheme",
    "validate_password",
    "verify",
    "verify_in_constant_time",
]

logger = logging.getLogger("mailadmin.passwords")

# No password matches this hash; a bare `!` would be a password with the scheme PLAIN.
UNUSABLE_HASH = "{CRYPT}!"
MAX_STORED_LENGTH = 255  # the length of PostfixAdmin's password columns
DUMMY_USERNAME = "nobody@invalid"


def make_hash(password: str, username: str = "", scheme: str | None = None) -> str:
    """Return what to store for this password; ValidationError if the scheme cannot take it."""
    choice = get_configured_scheme() if scheme is None else _get_scheme(scheme)
    if problems := find_scheme_problems(password, choice):
        raise ValidationError(problems)
    try:
        body = _hash_body(choice, password, username, get_configured_rounds(choice))
    except UnverifiableHash as error:
        logger.error("The password scheme %s cannot be used: %s.", choice.name, error)
        raise ValidationError(
            _(
                "The password scheme %(scheme)s is not available on this server. See the"
                " server log for details."
            ),
            params={"scheme": choice.name},
        ) from error
    stored = choose_prefix(choice, body) + body
    if len(stored) > MAX_STORED_LENGTH:
        raise ValidationError(_("The password is too long for this password scheme."))
    return stored


@functools.cache
def measure_hash_seconds() -> float:
    """Return the CPU time that one hash of the configured scheme takes here; measured once."""
    begun = time.thread_time()
    make_hash(secrets.token_hex(8), DUMMY_USERNAME)
    return time.thread_time() - begun


def _get_scheme(scheme: str) -> SchemeChoice:
    choice = schemes.parse_scheme_setting(scheme)
    if choice is None:
        raise ValidationError(_("Unknown password scheme."))
    return choice


def _hash_body(choice: SchemeChoice, password: str, username: str, rounds: int) -> str:
    data = choice.scheme.make(password.encode(), username, rounds)
    return schemes.encode_hash(choice.scheme, choice.encoding, data)


def verify(password: str, stored: str, username: str = "") -> bool:
    """Return whether this is the password; a hash that cannot be read is logged, and False."""
    return _verify_candidates(password, stored, username) is True


def verify_in_constant_time(password: str, stored: str, username: str = "") -> bool:
    """Verify a password, and spend the cost of the configured scheme if the hash is of another.

    The time that an attempt takes must not tell who has an account here.
    """
    is_correct = _verify_candidates(password, stored, username)
    if is_correct is None or not _has_configured_cost(stored):
        simulate_verify(password)
    return is_correct is True


def _has_configured_cost(stored: str) -> bool:
    """Return whether verifying this value takes as long as verifying a new one."""
    choice = get_configured_scheme()
    try:
        reading, body = next(iter_candidates(stored))
        dummy = _dummy_hash(choice, get_configured_rounds(choice)).removeprefix(choice.prefix)
    except UnverifiableHash:
        return False
    return get_scheme_name(reading, body) == choice.canonical_name and parse_cost(
        body
    ) == parse_cost(dummy)


def _verify_candidates(password: str, stored: str, username: str) -> bool | None:
    """Return whether this is the password; None if nothing was computed to find out."""
    secret = _encode_password(password)
    if secret is None:
        return None
    try:
        candidates = list(iter_candidates(stored or ""))
    except UnverifiableHash as error:
        _log_unverifiable(error, username)
        return None
    results = [_verify_candidate(*candidate, secret, username) for candidate in candidates]
    return True in results or (None if None in results else False)


def _encode_password(password: str) -> bytes | None:
    """Return the bytes that Dovecot would get, or None if it could not be sent to it."""
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return None if b"\0" in secret or len(secret) > MAX_PASSWORD_BYTES else secret


def _verify_candidate(choice: SchemeChoice, body: str, secret: bytes, username: str) -> bool | None:
    try:
        data = schemes.decode_hash(choice.scheme, choice.encoding, body)
        return choice.scheme.check(secret, data, username)
    except UnverifiableHash as error:
        _log_unverifiable(error, username)
        return None


def _log_unverifiable(error: UnverifiableHash, username: str) -> None:
    logger.warning("The stored password of %r cannot be verified: %s.", username, error)


def is_verifiable(stored: str) -> bool:
    """Return whether the scheme of a stored value is known, so that it may permit a login."""
    try:
        return any(True for _reading in iter_candidates(stored))
    except UnverifiableHash:
        return False


def find_unsupported_scheme(stored: str) -> str:
    """Return the scheme that a stored value names, if Dovecot and the panel do not have it."""
    named = re.match(r"\{([^{}]+)\}", stored or "")
    return named[1].upper() if named and schemes.find_scheme(named[1]) is None else ""


def needs_rehash(stored: str) -> bool:
    """Return whether the configured scheme and prefix would store something different."""
    return not matches_configuration(stored)


def simulate_verify(password: str) -> None:
    """Take as long as verifying a hash of the configured scheme, for unknown names."""
    choice = get_configured_scheme()
    try:
        verify(password, _dummy_hash(choice, get_configured_rounds(choice)), DUMMY_USERNAME)
    except UnverifiableHash as error:
        _log_unverifiable(error, DUMMY_USERNAME)


@functools.lru_cache(maxsize=8)
def _dummy_hash(choice: SchemeChoice, rounds: int) -> str:
    return choice.prefix + _hash_body(choice, secrets.token_hex(16), DUMMY_USERNAME, rounds)


def get_scheme_names() -> tuple[str, ...]:
    """Return the values of MAILADMIN_PASSWORD_SCHEME; each also exists with .HEX or .B64."""
    return tuple(sorted(schemes.SCHEMES))


def is_known_scheme(name: str) -> bool:
    """Return whether MAILADMIN_PASSWORD_SCHEME may have this value or PostfixAdmin's for it."""
    return schemes.parse_scheme_setting(name) is not None
