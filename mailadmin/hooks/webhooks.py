"""Send a request to a webhook, signed with the shared secret."""

import hashlib
import hmac
import time
from typing import NamedTuple

from django.conf import settings

from mailadmin.hooks.models import HookDelivery

TIMEOUTS = (5, 15)  # seconds, to connect and between parts of the response
MAX_OUTPUT = 500  # bytes of the response that are kept


class Response(NamedTuple):
    """How a webhook answered; without a code it did not."""

    code: int | None
    output: str

    @property
    def is_success(self) -> bool:
        return self.code is not None and 200 <= self.code < 300


def send_request(delivery: HookDelivery) -> Response:
    """Send what happened; a webhook accepts it by a status of 200 to 299.

    The library is loaded when it is used: commands start sooner without it.
    """
    import requests

    moment = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "mailadmin",
        "X-Mailadmin-Event": delivery.event,
        "X-Mailadmin-Delivery": str(delivery.pk),
        "X-Mailadmin-Timestamp": moment,
        "X-Mailadmin-Signature": f"sha256={sign(moment, delivery.body)}",
    }
    try:
        with requests.post(
            delivery.target,
            data=delivery.body.encode(),
            headers=headers,
            timeout=TIMEOUTS,
            allow_redirects=False,
            stream=True,
        ) as response:
            start = response.raw.read(MAX_OUTPUT, decode_content=True)
            return Response(response.status_code, start.decode(errors="replace").strip())
    except (requests.RequestException, OSError) as error:
        return Response(None, f"{type(error).__name__}: {error}"[:MAX_OUTPUT])


def sign(moment: str, body: str) -> str:
    """Return the signature of a request: HMAC-SHA256 of its time, a dot and its body."""
    key = settings.MAILADMIN_WEBHOOK_SECRET.encode()
    return hmac.new(key, f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
