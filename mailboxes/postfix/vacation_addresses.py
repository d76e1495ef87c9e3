"""Addresses of the vacation domain, to which Postfix sends a copy of mail for an absent user.

The autoresponder starts for each of these mails: this module imports nothing of Django.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

DOMAIN_RE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
MAX_ADDRESS_LENGTH = 254  # RFC 5321


def find_possible_owners(recipient: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the mailboxes that `user#example.org+extension@autoreply…` may mean, longest first."""
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
