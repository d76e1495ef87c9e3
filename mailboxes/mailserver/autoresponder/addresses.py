"""Addresses as the responder meets them: on the command line, in headers, in tables."""

import re

# No quoted local parts: sendmail reads its arguments as lists of addresses.
REPLY_ADDRESS_RE = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?"
)
DOMAIN_RE = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
MAX_ADDRESS_LENGTH = 254  # RFC 5321


def is_answerable(address):
    return len(address) <= MAX_ADDRESS_LENGTH and bool(REPLY_ADDRESS_RE.fullmatch(address))


def find_possible_owners(recipient, known):
    """Whom `user#example.org+extension@autoreply…` may mean, the longest address first."""
    local_part, _at, domain = recipient.lower().rpartition("@")
    if domain != known["MAILADMIN_VACATION_DOMAIN"] or len(recipient) > 2 * MAX_ADDRESS_LENGTH:
        return []
    delimiter = known["MAILADMIN_RECIPIENT_DELIMITER"]
    found = {
        f"{user}@{place}"
        for user, rest in iter_splits(local_part, "#")
        for place in [rest, *(before for before, _ in iter_splits(rest, delimiter))]
        if user and DOMAIN_RE.fullmatch(place)
    }
    return sorted(found, key=len, reverse=True)


def iter_splits(text, signs):
    """(what is before, what is after) each of these signs."""
    for number, letter in enumerate(text):
        if letter in signs:
            yield text[:number], text[number + 1 :]


def strip_extension(address, delimiter):
    """The address as it is looked up when it is not found with its extension."""
    local_part, at, domain = address.rpartition("@")
    plain = next((before for before, _ in iter_splits(local_part, delimiter) if before), local_part)
    return f"{plain}{at}{domain}"
