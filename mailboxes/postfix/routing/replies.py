"""The words in which Postfix refuses."""

import re

USER_UNKNOWN_REPLY = "550 5.1.1 <{}>: Recipient address rejected: User unknown in {} table"
RELAY_DENIED_REPLY = "554 5.7.1 <{}>: Relay access denied"
RECIPIENT_REJECTED_REPLY = "{} <{}>: Recipient address rejected: {}"
DEFAULT_UNDELIVERABLE_TEXT = "Address is undeliverable"  # by a transport that gives no other reason
REJECTING_SERVICES = {
    "error": "550",
    "retry": "450",
}  # services that take nothing, and their code at the door
ENHANCED_STATUS_RE = re.compile(r"[245](\.\d{1,3}\.\d{1,3}) *(.*)", re.DOTALL)
BAD_RECIPIENT_REPLY = "501 5.1.3 Bad recipient address syntax"
QUEUE_WRITE_ERROR_REPLY = "451 4.3.0 Error: queue file write error"
ALIAS_EXPANSION_ERROR_REPLY = "451 4.6.0 Alias expansion error"
SENDER_NOT_OWNED_REPLY = "553 5.7.1 <{}>: Sender address rejected: not owned by user {}"


class LookupUnavailable(Exception):
    """A table that decides gives no answer here; what follows would be a guess."""


PERMIT_ACTIONS = ("OK", "PERMIT")  # as are numbers alone


def format_access_reply(address, action):
    """What an access(5) table's answer says to a client; nothing if it lets him pass."""
    verb, _space, text = action.strip().partition(" ")
    if verb.upper() in PERMIT_ACTIONS or action.strip().isdigit():
        return ""
    if verb.upper() == "REJECT":
        verb, text = "554", f"5.7.1 {text or 'Access denied'}"
    if not (verb.isdigit() and verb[0] in "45" and len(verb) == 3):
        raise LookupUnavailable(action)
    status, _space, words = text.partition(" ")
    return RECIPIENT_REJECTED_REPLY.format(f"{verb} {status}", address, words)


def format_error_transport_reply(address, service, text):
    """The text of an `error:` transport, with the status it begins with, in the code's class."""
    code, found = REJECTING_SERVICES[service], ENHANCED_STATUS_RE.fullmatch(text)
    status, words = found.groups() if found else (".1.1", text)
    return RECIPIENT_REJECTED_REPLY.format(f"{code} {code[0]}{status}", address, words)


def format_sender_reply(login, address, owners):
    """Postfix's words to somebody who may not send as this address."""
    own = login.lower() in [owner.lower() for owner in owners]
    return "" if own else SENDER_NOT_OWNED_REPLY.format(address, login)
