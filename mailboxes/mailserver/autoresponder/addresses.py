"""Addresses as the responder meets them: on the command line, in headers, in tables."""

import re

# No quoted local parts: sendmail reads its arguments as lists of addresses.
ANSWERABLE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?")
DOMAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
LONGEST = 254  # RFC 5321


def is_answerable(address):
    return len(address) <= LONGEST and bool(ANSWERABLE.fullmatch(address))


def owners(recipient, known):
    """Whom `user#example.org+extension@autoreply…` may mean, the longest address first."""
    local_part, _at, domain = recipient.lower().rpartition("@")
    if domain != known["MAILADMIN_VACATION_DOMAIN"] or len(recipient) > 2 * LONGEST:
        return []
    delimiter = known["MAILADMIN_RECIPIENT_DELIMITER"]
    found = {
        f"{user}@{place}"
        for user, rest in splits(local_part, "#")
        for place in [rest, *(before for before, _ in splits(rest, delimiter))]
        if user and DOMAIN.fullmatch(place)
    }
    return sorted(found, key=len, reverse=True)


def splits(text, signs):
    """(what is before, what is after) each of these signs."""
    for number, letter in enumerate(text):
        if letter in signs:
            yield text[:number], text[number + 1 :]


def without_extension(address, delimiter):
    """The address as it is looked up when it is not found with its extension."""
    local_part, at, domain = address.rpartition("@")
    plain = next((before for before, _ in splits(local_part, delimiter) if before), local_part)
    return f"{plain}{at}{domain}"
