"""Read the provider's documents, within limits of time and size, and keep them for a while."""

import json
import time
from typing import Any

import requests
from authlib.integrations.requests_client import OAuth2Session
from django.conf import settings
from urllib3.exceptions import HTTPError

from mailadmin.accounts.oidc.errors import ProviderUnavailable

TIMEOUT = (3, 5)  # seconds for the connection, and for each part of the response
MAX_SECONDS = 10  # for the response as a whole
MAX_BYTES = 1_000_000
MAX_AGE = 3600  # seconds for which a document is used
FAILURE_AGE = 10  # seconds for which nobody waits for a provider that did not answer

_documents: dict[str, tuple[float, Any]] = {}  # URL → when it was asked for, document or failure


class ProviderClient(OAuth2Session):
    """A session of authlib whose requests end in time; it follows no redirects."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            settings.MAILADMIN_OIDC_CLIENT_ID,
            settings.MAILADMIN_OIDC_CLIENT_SECRET,
            code_challenge_method="S256",
            leeway=0,  # no access token is too old for the one request that it is used for
            **options,
        )

    def request(self, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
        options |= {"timeout": TIMEOUT, "allow_redirects": False, "stream": True}
        try:
            with super().request(method, url, *args, **options) as response:
                response._content = read_body(response)
        except (requests.RequestException, HTTPError) as error:
            raise ProviderUnavailable(url, error) from error
        if response.is_redirect or response.status_code >= 500:
            raise ProviderUnavailable(url, f"status {response.status_code}")
        return response


def read_body(response: requests.Response) -> bytes:
    """Return the body, or raise Timeout: the limit of a request is for each part of it alone."""
    body, begun = b"", time.monotonic()
    while part := response.raw.read1(65536, decode_content=True):
        body += part
        if len(body) > MAX_BYTES or time.monotonic() - begun > MAX_SECONDS:
            raise requests.Timeout("the response is too long or takes too long")
    return body


def parse_object(response: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a response."""
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(response.url, "no JSON") from error
    if response.status_code != 200 or not isinstance(document, dict):
        raise ProviderUnavailable(response.url, f"status {response.status_code}, no JSON object")
    return document


def load_document(url: str, max_age: float = MAX_AGE) -> dict[str, Any]:
    """Return a document of the provider, or raise ProviderUnavailable."""
    asked, kept = _documents.get(url, (0.0, None))
    age = time.monotonic() - asked
    if isinstance(kept, dict) and age < max_age:
        return kept
    if isinstance(kept, ProviderUnavailable) and age < FAILURE_AGE:
        raise kept.with_traceback(None)
    try:
        with ProviderClient() as client:
            document = parse_object(client.get(url, withhold_token=True))
    except ProviderUnavailable as error:
        _documents[url] = time.monotonic(), error.with_traceback(None)
        raise
    _documents[url] = time.monotonic(), document
    return document


def forget_documents() -> None:
    """Have all documents asked for again."""
    _documents.clear()
