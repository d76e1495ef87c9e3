"""Addresses on the command line, in headers and in tables."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# No quoted local parts: sendmail reads its arguments as lists of addresses.
REPLY_ADDRESS_RE = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?"
)
DOMAIN_RE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
MAX_ADDRESS_LENGTH = 254  # RFC 5321


def is_answerable(address: str) -> bool:
    return len(address) <= MAX_ADDRESS_LENGTH and bool(REPLY_ADDRESS_RE.fullmatch(address))


def find_possible_owners(recipient: str, settings: Mapping[str, Any]) -> list[str]:
    """Return whom `user#example.org+extension@autoreply…` may mean, the longest address first."""
    local_part, _at, domain = recipient.lower().rpartition("@")
    if domain != settings["MAILADMIN_VACATION_DOMAIN"] or len(recipient) > 2 * MAX_ADDRESS_LENGTH:
        return []
    delimiter = settings["MAILADMIN_RECIPIENT_DELIMITER"]
    found = {
        f"{user}@{domain}"
        for user, rest in iter_splits(local_part, "#")
        for domain in [rest, *(before for before, _ in iter_splits(rest, delimiter))]
        if user and DOMAIN_RE.fullmatch(domain)
    }
    return sorted(found, key=len, reverse=True)


def iter_splits(text: str, delimiters: str) -> Iterator[tuple[str, str]]:
    """Yield the text before and after each of these characters."""
    for number, char in enumerate(text):
        if char in delimiters:
            yield text[:number], text[number + 1 :]


def strip_extension(address: str, delimiter: str) -> str:
    local_part, at, domain = address.rpartition("@")
    plain = next((before for before, _ in iter_splits(local_part, delimiter) if before), local_part)
    return f"{plain}{at}{domain}"
