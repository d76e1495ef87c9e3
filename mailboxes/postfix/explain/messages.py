"""An explained route in sentences that need no knowledge of Postfix."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailadmin.formatting import format_size
from mailboxes.postfix.maps import MAILBOX_INACTIVE_REPLY
from mailboxes.postfix.routing import QUEUE_WRITE_ERROR_REPLY

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
    if not explanation["reply"]:
        return HEADLINE_FORMATTERS[get_outcome(explanation)](explanation["deliveries"])
    if get_outcome(explanation) == REJECTED:
        return _("Rejected at RCPT: %(reason)s") % {"reason": format_refusal(explanation)}
    return format_refusal(explanation)


# One headline for each outcome of mail that is accepted


def format_delivered(deliveries: list[Data]) -> str:
    if HANDED_OVER in map(get_verdict, deliveries):
        return _("Delivered to a mailbox here, and handed to another server.")
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


def format_bounces(deliveries: list[Data]) -> str:
    return _("Accepted, then bounces.")


def format_deferred(deliveries: list[Data]) -> str:
    if any(each["kind"] == "broken" for each in deliveries):
        return _("Accepted, then deferred: the delivery cannot work.")
    return _("Accepted, then deferred; bounces after some days.")


def format_discarded(deliveries: list[Data]) -> str:
    return _("Accepted, then silently discarded.")


def format_partly(deliveries: list[Data]) -> str:
    verdicts = [verdict for verdict in map(get_verdict, deliveries) if verdict != ANSWERED]
    lost = [verdict for verdict in verdicts if verdict in FAILURE_VERDICTS]
    texts = {
        BOUNCES: _("Accepted, but bounces for %(lost)d of %(all)d deliveries."),
        DEFERRED: _("Accepted, but deferred for %(lost)d of %(all)d deliveries."),
        DISCARDED: _("Accepted, but silently discarded for %(lost)d of %(all)d deliveries."),
    }
    several = _("Accepted, but lost for %(lost)d of %(all)d deliveries.")
    text = texts[lost[0]] if len(set(lost)) == 1 else several
    return text % {"lost": len(lost), "all": len(verdicts)}


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
    PARTLY: format_partly,
    UNKNOWN: format_undetermined,
}


# Of all mail for a domain
DOMAIN_MESSAGES = {
    DELIVERED: gettext_lazy("Mail is delivered to the mailboxes here."),
    HANDED_OVER: gettext_lazy("Mail is handed to another server."),
    BOUNCES: gettext_lazy("Mail is accepted, then bounces."),
    DEFERRED: gettext_lazy("Mail is accepted, then deferred: the delivery cannot work."),
    DISCARDED: gettext_lazy("Mail is accepted, then silently discarded."),
    REJECTED: gettext_lazy("Mail is rejected at RCPT: the domain is inactive."),
    ANSWERED: gettext_lazy("Answered only, delivered nowhere."),
}


# Refusals


def format_refusal(explanation: Data) -> str:
    """Return why it is refused, as far as rows show it."""
    if explanation["loop"]:
        return format_loop(explanation)
    if explanation["reply"] == QUEUE_WRITE_ERROR_REPLY:
        return _("Deferred: an alias on the way has no usable target.")
    if MAILBOX_INACTIVE_REPLY.partition(" ")[2].partition(" ")[2] in explanation["reply"]:
        return _("The mailbox is inactive.")
    lookups = explanation["steps"][0]["lookups"]
    if inactive := next((row for lookup in lookups for row in lookup["inactive"]), None):
        return _("%(row)s: %(reason)s.") % {"row": inactive["key"], "reason": inactive["reason"]}
    if explanation["class"] == "default":
        return _(
            "This server does not handle the domain, unless it is one of the server's own names."
        )
    return _("No mailbox, alias or catch-all matches this address.")


def format_loop(explanation: Data) -> str:
    path = " → ".join(explanation["loop"])
    if explanation["is_circle"]:
        return _("Alias loop: mail is never delivered. %(way)s") % {"way": path}
    text = _("Alias chain too long or too many targets: mail is never delivered. %(way)s …")
    return text % {"way": path}


# Deliveries


def format_delivery(delivery: Data) -> str:
    """Return where one delivery goes, in a line."""
    texts = {
        "mailbox": _("%(address)s: delivered to the mailbox %(mailbox)s (%(path)s)"),
        "autoreply": _("%(mailbox)s: a vacation reply is sent"),
        "relay": _("%(address)s: relayed, as this server is a backup MX"),
        "remote": _("%(address)s: handed to another server"),
        "local": _("%(address)s: handed to a system user of the mail server"),
        "unknown": _("%(address)s: bounces, because no active mailbox has this address"),
        "virtual": _("%(address)s: handed to a transport other than the default"),
        "malformed": _("%(address)s: bounces, because the address is not valid"),
        "bounced": _("%(address)s: bounces, because its transport rejects it"),
        "deferred": _("%(address)s: deferred by its transport; bounces after some days"),
        "broken": _("%(address)s: deferred, because the delivery cannot work"),
        "discarded": _("%(address)s: silently discarded by its transport"),
        "foreign": _("%(address)s: forwarded outside your domains"),
    }
    text = texts[delivery["kind"]] % delivery
    if delivery["kind"] == "autoreply" and not delivery["answers"]:
        text = _("%(mailbox)s: the vacation reply is not active now, so none is sent") % delivery
    if reason := delivery.get("reason"):
        text = f"{text}: {reason}"
    return text + format_quota_usage(delivery)


def format_quota_usage(delivery: Data) -> str:
    """Return how much of the quota is used, if there is one."""
    if not delivery.get("quota"):
        return ""
    text = _("%(used)s of %(quota)s used") % {
        "used": format_size(delivery["used"]),
        "quota": format_size(delivery["quota"]),
    }
    over = ": " + _("the mailbox is full, so mail bounces") if delivery["is_over"] else ""
    return f" – {text}{over}"
