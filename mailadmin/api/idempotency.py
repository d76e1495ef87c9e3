"""Do a POST with an Idempotency-Key once, however often it is sent."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from mailadmin.api.models import StoredResponse, Token
from mailadmin.api.problems import ApiProblem
from mailadmin.translation import decode_text, encode_text

MAX_KEY_LENGTH = 255


class ReplayedRequest(Exception):
    """Another request with the same key is being done, or has just been done."""


class IdempotencyKey:
    """The key of one request of one token, and the response stored for it."""

    def __init__(self, token: Token, key: str, body: bytes) -> None:
        if not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii() and key.isprintable()):
            text = _("An Idempotency-Key must be 1 to 255 printable ASCII characters.")
            raise ApiProblem(400, text)
        self.token, self.key = token, hashlib.sha256(key.encode()).hexdigest()
        # Bodies may hold passwords, so only a digest is stored to compare them.
        self.digest = salted_hmac("mailadmin.api.once", body, algorithm="sha256").hexdigest()

    def get_stored_response(self) -> dict | None:
        """Return the response to the same request before; None if it is new.

        Its texts, which are warnings, are in the active language.
        """
        stored = StoredResponse.objects.filter(token=self.token, key=self.key).first()
        if stored is None:
            return None
        if not hmac.compare_digest(stored.digest, self.digest):
            text = _("This Idempotency-Key was already used for a different request.")
            raise ApiProblem(422, text, errors={})
        return map_strings(stored.body, decode_text)

    def store(self, response: dict) -> None:
        """Store the response, in the transaction that it is about."""
        try:
            StoredResponse.objects.create(
                token=self.token,
                key=self.key,
                digest=self.digest,
                body=map_strings(response, encode_text),
            )
        except IntegrityError as error:
            raise ReplayedRequest from error


def map_strings(value: Any, function: Callable[[str], str]) -> Any:
    """Return a JSON value with the function applied to its strings, except the names of members."""
    match value:
        case str():
            return function(value)
        case list():
            return [map_strings(each, function) for each in value]
        case dict():
            return {name: map_strings(each, function) for name, each in value.items()}
    return value
