"""The words in which Postfix refuses."""

import re

UNKNOWN = "550 5.1.1 <{}>: Recipient address rejected: User unknown in {} table"
DENIED = "554 5.7.1 <{}>: Relay access denied"
REJECTED = "{} <{}>: Recipient address rejected: {}"
UNDELIVERABLE = "Address is undeliverable"  # by a transport that gives no other reason
REFUSING = {
    "error": "550",
    "retry": "450",
}  # services that take nothing, and their code at the door
STATUS = re.compile(r"[245](\.\d{1,3}\.\d{1,3}) *(.*)", re.DOTALL)
UNFIT = "501 5.1.3 Bad recipient address syntax"
UNREADABLE = "451 4.3.0 Error: queue file write error"
LOOPING = "451 4.6.0 Alias expansion error"
NOT_OWNED = "553 5.7.1 <{}>: Sender address rejected: not owned by user {}"


class CannotBeAsked(Exception):
    """A table that decides gives no answer here; what follows would be a guess."""


PASSED = ("OK", "PERMIT")  # as are numbers alone


def access_reply(address, action):
    """What an access(5) table's answer says to a client; nothing if it lets him pass."""
    verb, _space, text = action.strip().partition(" ")
    if verb.upper() in PASSED or action.strip().isdigit():
        return ""
    if verb.upper() == "REJECT":
        verb, text = "554", f"5.7.1 {text or 'Access denied'}"
    if not (verb.isdigit() and verb[0] in "45" and len(verb) == 3):
        raise CannotBeAsked(action)
    status, _space, words = text.partition(" ")
    return REJECTED.format(f"{verb} {status}", address, words)


def in_postfixs_words(address, service, text):
    """The text of an `error:` transport, with the status it begins with, in the code's class."""
    code, found = REFUSING[service], STATUS.fullmatch(text)
    status, words = found.groups() if found else (".1.1", text)
    return REJECTED.format(f"{code} {code[0]}{status}", address, words)


def sender_reply(login, address, owners):
    """Postfix's words to somebody who may not send as this address."""
    own = login.lower() in [owner.lower() for owner in owners]
    return "" if own else NOT_OWNED.format(address, login)
