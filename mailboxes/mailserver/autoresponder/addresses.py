"""Addresses on the command line, in headers and in tables."""

import re

from mailboxes.postfix.vacation_addresses import MAX_ADDRESS_LENGTH, iter_splits

# No quoted local parts: sendmail reads its arguments as lists of addresses.
REPLY_ADDRESS_RE = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.?"
)


def is_answerable(address: str) -> bool:
    return len(address) <= MAX_ADDRESS_LENGTH and bool(REPLY_ADDRESS_RE.fullmatch(address))


def strip_extension(address: str, delimiter: str) -> str:
    local_part, at, domain = address.rpartition("@")
    plain = next((before for before, _ in iter_splits(local_part, delimiter) if before), local_part)
    return f"{plain}{at}{domain}"
