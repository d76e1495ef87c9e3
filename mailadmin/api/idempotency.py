"""A POST that is sent again with its Idempotency-Key is answered again, and done once."""

import hashlib
import hmac

from django.db import IntegrityError
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from mailadmin.api.models import Answer
from mailadmin.api.problems import Problem

LONGEST = 255


class Repeated(Exception):
    """The same request is being done, or has just been done, by somebody else."""


class Claim:
    """The key of one request of one token."""

    def __init__(self, token, key, body):
        if not (0 < len(key) <= LONGEST and key.isascii() and key.isprintable()):
            raise Problem(400, _("An Idempotency-Key is 1 to 255 printable ASCII characters."))
        self.token, self.key = token, hashlib.sha256(key.encode()).hexdigest()
        # Bodies may hold passwords: what is kept says only whether another body is the same.
        self.digest = salted_hmac("mailadmin.api.once", body, algorithm="sha256").hexdigest()

    def answer(self):
        """What the same request was answered before; None if it is new."""
        found = Answer.objects.filter(token=self.token, key=self.key).first()
        if found is None:
            return None
        if not hmac.compare_digest(found.digest, self.digest):
            raise Problem(422, _("This Idempotency-Key was used for another request."), errors={})
        return found.body

    def store(self, body):
        """Keep the answer, in the transaction that it is about."""
        try:
            Answer.objects.create(token=self.token, key=self.key, digest=self.digest, body=body)
        except IntegrityError as error:
            raise Repeated from error
