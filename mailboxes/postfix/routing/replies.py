"""The replies by which Postfix refuses."""

import re
from collections.abc import Iterable

USER_UNKNOWN_REPLY = "550 5.1.1 <{}>: Recipient address rejected: User unknown in {} table"
RELAY_DENIED_REPLY = "554 5.7.1 <{}>: Relay access denied"
RECIPIENT_REJECTED_REPLY = "{} <{}>: Recipient address rejected: {}"
DEFAULT_UNDELIVERABLE_TEXT = "Address is undeliverable"  # by a transport that gives no other reason
REJECTING_SERVICES = {"error": "550", "retry": "450"}  # services that refuse, and their code
ENHANCED_STATUS_RE = re.compile(r"[245](\.\d{1,3}\.\d{1,3}) *(.*)", re.DOTALL)
BAD_RECIPIENT_REPLY = "501 5.1.3 Bad recipient address syntax"
QUEUE_WRITE_ERROR_REPLY = "451 4.3.0 Error: queue file write error"
ALIAS_EXPANSION_ERROR_REPLY = "451 4.6.0 Alias expansion error"
SENDER_NOT_OWNED_REPLY = "553 5.7.1 <{}>: Sender address rejected: not owned by user {}"


class LookupUnavailable(Exception):
    """A table that decides cannot be looked up here; what follows would be a guess."""


PERMIT_ACTIONS = ("OK", "PERMIT")  # as are numbers alone


def format_access_reply(address: str, action: str) -> str:
    """Return the refusal that an action of access(5) means, or an empty string if it permits."""
    verb, _space, text = action.strip().partition(" ")
    if verb.upper() in PERMIT_ACTIONS or action.strip().isdigit():
        return ""
    if verb.upper() == "REJECT":
        verb, text = "554", f"5.7.1 {text or 'Access denied'}"
    if not (verb.isdigit() and verb[0] in "45" and len(verb) == 3):
        raise LookupUnavailable(action)
    status, _space, words = text.partition(" ")
    return RECIPIENT_REJECTED_REPLY.format(f"{verb} {status}", address, words)


def format_error_transport_reply(address: str, service: str, text: str) -> str:
    """Return the text of an `error:` transport, its own status code in the class of the reply."""
    code, match = REJECTING_SERVICES[service], ENHANCED_STATUS_RE.fullmatch(text)
    status, words = match.groups() if match else (".1.1", text)
    return RECIPIENT_REJECTED_REPLY.format(f"{code} {code[0]}{status}", address, words)


def format_sender_reply(login: str, address: str, owners: Iterable[str]) -> str:
    """Return the refusal to a login that may not send as this address, or an empty string."""
    is_owner = login.lower() in [owner.lower() for owner in owners]
    return "" if is_owner else SENDER_NOT_OWNED_REPLY.format(address, login)
