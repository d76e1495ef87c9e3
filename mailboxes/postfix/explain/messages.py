"""An explained route in sentences that need no knowledge of Postfix."""

from collections.abc import Iterator
from typing import Any

from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailadmin.formatting import format_size
from mailboxes.postfix.maps import MAILBOX_INACTIVE_REPLY
from mailboxes.postfix.routing import (
    ALIAS_EXPANSION_ERROR_REPLY,
    BAD_RECIPIENT_REPLY,
    QUEUE_WRITE_ERROR_REPLY,
    RECIPIENT_REJECTED_REPLY,
    RELAY_DENIED_REPLY,
)

RELAY_DENIED_ENDING = RELAY_DENIED_REPLY.rpartition(":")[2]
RECIPIENT_REJECTED_SEPARATOR = RECIPIENT_REJECTED_REPLY.rpartition("<{}>")[2].removesuffix("{}")
Data = dict[str, Any]  # of an explanation, or of one of its deliveries

# What becomes of mail, for programs and colours
DELIVERED, HANDED_OVER, ANSWERED = "delivered", "handed_over", "answered"
BOUNCES, DEFERRED, DISCARDED = "bounces", "deferred", "discarded"
REJECTED, PARTLY, UNKNOWN = "rejected", "partly", "unknown"
SUCCESS_VERDICTS = (DELIVERED, HANDED_OVER, UNKNOWN)
FAILURE_VERDICTS = (BOUNCES, DEFERRED, DISCARDED)
VERDICTS = {
    "mailbox": DELIVERED,
    "relay": HANDED_OVER,
    "remote": HANDED_OVER,
    "virtual": HANDED_OVER,
    "autoreply": ANSWERED,
    "local": UNKNOWN,
    "foreign": UNKNOWN,
    "unknown": BOUNCES,
    "bounced": BOUNCES,
    "malformed": BOUNCES,
    "deferred": DEFERRED,
    "broken": DEFERRED,
    "discarded": DISCARDED,
}


def get_verdict(delivery: Data) -> str:
    """Return what becomes of mail at one delivery."""
    return BOUNCES if delivery.get("is_over") else VERDICTS[delivery["kind"]]


def get_outcome(explanation: Data) -> str:
    """Return what becomes of mail for the address."""
    if explanation["trouble"]:
        return UNKNOWN
    if explanation["reply"]:
        return REJECTED if explanation["reply"].startswith("5") else DEFERRED
    verdicts = {get_verdict(each) for each in explanation["deliveries"]}
    lost = [verdict for verdict in FAILURE_VERDICTS if verdict in verdicts]
    good = [verdict for verdict in SUCCESS_VERDICTS if verdict in verdicts]
    if good:
        return PARTLY if lost else good[0]
    return (lost or [ANSWERED if verdicts else UNKNOWN])[0]


def format_headline(explanation: Data) -> str:
    """Return what happens, in a line."""
    if explanation["trouble"]:
        return _("Cannot be determined: %(trouble)s") % {"trouble": explanation["trouble"]}
    if get_outcome(explanation) == REJECTED:
        return _("Rejected: %(reason)s.") % {"reason": format_rejection_reason(explanation)}
    if explanation["reply"]:
        return format_refusal_of_message(explanation)
    return format_accepted(explanation)


# Mail that is accepted


def format_accepted(explanation: Data) -> str:
    """Return what becomes of accepted mail: one text if it is the same for all recipients."""
    deliveries, outcome = explanation["deliveries"], get_outcome(explanation)
    verdicts = {get_verdict(each) for each in deliveries} - {ANSWERED}
    is_answered = any(each.get("answers") for each in deliveries) and outcome in SUCCESS_VERDICTS
    if len(verdicts) > 1 or is_answered:
        return format_summary(deliveries)
    return HEADLINE_FORMATTERS[outcome](deliveries)


def format_summary(deliveries: list[Data]) -> str:
    """Return what becomes of mail for several recipients, with the number of those who get none."""
    good, lost = list(iter_success_clauses(deliveries)), list(iter_loss_clauses(deliveries))
    sentence = get_text_list(good, _("and")) or _("accepted")
    if lost:
        values = {"good": sentence, "lost": get_text_list(lost, _("and"))}
        sentence = _("%(good)s, but %(lost)s") % values
    return _("%(sentence)s.") % {"sentence": capfirst(sentence)}


def iter_success_clauses(deliveries: list[Data]) -> Iterator[str]:
    kinds = {each["kind"] for each in deliveries}
    verdicts = [get_verdict(each) for each in deliveries]
    if number := verdicts.count(DELIVERED):
        yield format_mailbox_clause(number)
    if HANDED_OVER in verdicts:
        yield _("handed to another server")
    if "local" in kinds:
        yield _("handed to a system user of the mail server")
    if "foreign" in kinds:
        yield _("forwarded outside your domains")
    if any(each.get("answers") for each in deliveries) and verdicts.count(ANSWERED) < len(verdicts):
        yield _("answered with a vacation reply")


def format_mailbox_clause(number: int) -> str:
    if number == 1:
        return _("delivered to a mailbox here")
    text = ngettext("delivered to %(number)d mailbox", "delivered to %(number)d mailboxes", number)
    return text % {"number": number}


def iter_loss_clauses(deliveries: list[Data]) -> Iterator[str]:
    """Yield what happens to lost mail, and for how many of the recipients."""
    verdicts = [verdict for verdict in map(get_verdict, deliveries) if verdict != ANSWERED]
    texts = {
        BOUNCES: _("bounces for %(lost)d of %(all)d recipients"),
        DEFERRED: _("deferred for %(lost)d of %(all)d recipients"),
        DISCARDED: _("silently discarded for %(lost)d of %(all)d recipients"),
    }
    for verdict, text in texts.items():
        if lost := verdicts.count(verdict):
            yield text % {"lost": lost, "all": len(verdicts)}


def format_delivered(deliveries: list[Data]) -> str:
    number = [get_verdict(each) for each in deliveries].count(DELIVERED)
    if number == 1:
        return _("Delivered to a mailbox here.")
    text = ngettext(
        "Delivered to %(number)d mailbox here.", "Delivered to %(number)d mailboxes here.", number
    )
    return text % {"number": number}


def format_handed_over(deliveries: list[Data]) -> str:
    return _("Handed to another server.")


def format_answered(deliveries: list[Data]) -> str:
    if any(each["answers"] for each in deliveries):
        return _("Answered only, delivered nowhere.")
    return _("Delivered nowhere; no vacation reply is sent at this time.")


def format_vacation_replies(deliveries: list[Data]) -> str:
    """Return how many vacation replies are sent, besides what else becomes of the mail."""
    number = sum(each["answers"] for each in deliveries)
    if not number:
        return _("No vacation reply is sent at this time.")
    text = ngettext(
        "%(number)d vacation reply is sent.", "%(number)d vacation replies are sent.", number
    )
    return text % {"number": number}


def format_bounces(deliveries: list[Data]) -> str:
    return _("Accepted, then bounces.")


def format_deferred(deliveries: list[Data]) -> str:
    if any(each["kind"] == "broken" for each in deliveries):
        return _("Accepted, then deferred: the delivery cannot work.")
    return _("Accepted, then deferred; bounces after some days.")


def format_discarded(deliveries: list[Data]) -> str:
    return _("Accepted, then silently discarded.")


def format_undetermined(deliveries: list[Data]) -> str:
    if any(each["kind"] == "local" for each in deliveries):
        return _("Cannot be determined: it is handed to a system user of the mail server.")
    return _("Cannot be determined: it is forwarded outside your domains.")


HEADLINE_FORMATTERS = {
    DELIVERED: format_delivered,
    HANDED_OVER: format_handed_over,
    ANSWERED: format_answered,
    BOUNCES: format_bounces,
    DEFERRED: format_deferred,
    DISCARDED: format_discarded,
    UNKNOWN: format_undetermined,
}


# Of all mail for a domain
DOMAIN_MESSAGES = {
    DELIVERED: gettext_lazy("Mail is delivered to the mailboxes here."),
    HANDED_OVER: gettext_lazy("Mail is handed to another server."),
    BOUNCES: gettext_lazy("Mail is accepted, then bounces."),
    DEFERRED: gettext_lazy("Mail is accepted, then deferred: the delivery cannot work."),
    DISCARDED: gettext_lazy("Mail is accepted, then silently discarded."),
    REJECTED: gettext_lazy("Mail is rejected: the domain is inactive."),
    ANSWERED: gettext_lazy("Answered only, delivered nowhere."),
}


# Refusals


def is_refused_at_rcpt(explanation: Data) -> bool:
    """Return whether the recipient itself is refused, not the message after its aliases."""
    later = (ALIAS_EXPANSION_ERROR_REPLY, QUEUE_WRITE_ERROR_REPLY)
    return bool(explanation["reply"]) and explanation["reply"] not in later


def find_inactive_row(explanation: Data) -> Data | None:
    """Return the row that would have taken the recipient if it were active."""
    lookups = explanation["steps"][0]["lookups"]
    return next((row for lookup in lookups for row in lookup["inactive"]), None)


def format_rejection_reason(explanation: Data) -> str:
    """Return why the recipient is refused, as far as rows show it."""
    text, row = choose_rejection_reason(explanation)
    return text % {"row": row["key"], "reason": row["reason"]} if row else text


def choose_rejection_reason(explanation: Data) -> tuple[str, Data | None]:
    """Return the text of the reason, and the row that it names."""
    reply = explanation["reply"]
    if MAILBOX_INACTIVE_REPLY.partition(" ")[2].partition(" ")[2] in reply:
        return _("the mailbox is inactive"), None
    if row := find_inactive_row(explanation):
        return _("%(reason)s (%(row)s)"), row
    if explanation["class"] == "default":
        return _(
            "this server does not handle the domain, unless it is one of the server's own names"
        ), None
    if reply == BAD_RECIPIENT_REPLY or reply.endswith(RELAY_DENIED_ENDING):
        return _(
            "Postfix takes no mail for local parts that start with “-” or contain “%” or “!”"
        ), None
    if "User unknown" in reply:
        return _("no mailbox, alias or catch-all matches this address"), None
    return choose_refusing_part(explanation), None


def choose_refusing_part(explanation: Data) -> str:
    """Return which part of Postfix refuses, and the text of its reply if only that says why."""
    is_final = explanation["reply"].startswith("5")
    if explanation["is_refused_by_transport"]:
        return (
            _("its transport rejects all mail") if is_final else _("its transport defers all mail")
        )
    text = (
        _("a recipient restriction rejects it")
        if is_final
        else _("a recipient restriction defers it")
    )
    reason = explanation["reply"].partition(RECIPIENT_REJECTED_SEPARATOR)[2].strip()
    return f"{text} ({reason})" if reason else text


def format_refusal_of_message(explanation: Data) -> str:
    """Return why a message is refused for now, so that senders try again in vain."""
    if explanation["loop"]:
        return format_loop(explanation)
    if explanation["reply"] == QUEUE_WRITE_ERROR_REPLY:
        return _("Deferred: an alias on the way has no usable target.")
    text = _("Deferred: %(reason)s.")
    return text % {"reason": format_rejection_reason(explanation)}


def format_loop(explanation: Data) -> str:
    path = " → ".join(explanation["loop"])
    if explanation["is_circle"]:
        return _("Alias loop: mail is never delivered. %(way)s") % {"way": path}
    text = _("Alias chain too long or too many targets: mail is never delivered. %(way)s …")
    return text % {"way": path}


# Deliveries


def choose_delivery_text(delivery: Data) -> str:
    """Return the sentence about one delivery, without its values."""
    if delivery["kind"] == "mailbox":
        return choose_mailbox_text(delivery)
    if delivery["kind"] == "autoreply" and not delivery["answers"]:
        return _("The vacation reply of %(mailbox)s is not active now, so none is sent.")
    return str(DELIVERY_MESSAGES[delivery["kind"]])


def choose_mailbox_text(delivery: Data) -> str:
    if not delivery["quota"]:
        return _("Delivered to the mailbox %(mailbox)s.")
    if delivery["is_over"]:
        return _("The mailbox %(mailbox)s is full (%(used)s of %(quota)s used), so mail bounces.")
    return _("Delivered to the mailbox %(mailbox)s (%(used)s of %(quota)s used).")


DELIVERY_MESSAGES = {
    "autoreply": gettext_lazy("%(mailbox)s sends a vacation reply."),
    "relay": gettext_lazy(
        "Mail to %(address)s is passed on, because this server is a backup MX of its domain."
    ),
    "remote": gettext_lazy("Mail to %(address)s is handed to another server."),
    "virtual": gettext_lazy("Mail to %(address)s is handed to a transport of its own."),
    "local": gettext_lazy("Mail to %(address)s is handed to a system user of the mail server."),
    "unknown": gettext_lazy(
        "Mail to %(address)s bounces, because no active mailbox has this address."
    ),
    "malformed": gettext_lazy("Mail to %(address)s bounces, because the address is not valid."),
    "bounced": gettext_lazy("Mail to %(address)s bounces, because its transport rejects it."),
    "deferred": gettext_lazy(
        "Mail to %(address)s is deferred by its transport and bounces after some days."
    ),
    "broken": gettext_lazy("Mail to %(address)s is deferred, because the delivery cannot work."),
    "discarded": gettext_lazy("Mail to %(address)s is silently discarded by its transport."),
    "foreign": gettext_lazy("Mail to %(address)s is forwarded outside your domains."),
}


def get_delivery_values(delivery: Data) -> dict[str, Any]:
    """Return the values that the sentence about a delivery names."""
    values = {"address": delivery["address"], "mailbox": delivery.get("mailbox", "")}
    return values | {name: format_size(delivery.get(name)) for name in ("used", "quota")}


def format_delivery(delivery: Data) -> str:
    """Return where one delivery goes, in a line."""
    text = choose_delivery_text(delivery) % get_delivery_values(delivery)
    return f"{text} {reason}" if (reason := format_failure_reason(delivery)) else text


def format_failure_reason(delivery: Data) -> str:
    """Return the technical reason why a delivery fails, if it is known."""
    reason = delivery.get("reason")
    return _("Reason: %(reason)s.") % {"reason": reason} if reason else ""
