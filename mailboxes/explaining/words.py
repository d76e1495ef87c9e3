"""The route of an address in words that need no knowledge of Postfix."""

from django.utils.translation import gettext as _

from mailadmin.templatetags.mailadmin import megabytes
from mailboxes.maps import SWITCHED_OFF

LOST = ("unknown", "bounced", "deferred")  # ends at which mail comes back
THROWN_AWAY = "discarded"


def headline(told):
    """What happens, in a line."""
    if told["trouble"]:
        return _("Nobody can say: %(trouble)s") % {"trouble": told["trouble"]}
    return refusal(told) if told["reply"] else arrival(told)


def arrival(told):
    lost, all_ends = len([each for each in told["deliveries"] if is_lost(each)]), told["deliveries"]
    if not lost:
        return silent_loss(told) or _("It arrives.")
    if lost == len(all_ends):
        return _("It is accepted, and then comes back.")
    return _("It is accepted, but comes back from %(lost)d of %(all)d places.") % {
        "lost": lost,
        "all": len(all_ends),
    }


def silent_loss(told):
    """What is thrown away, of which nobody hears."""
    thrown, all_ends = len([e for e in told["deliveries"] if is_thrown_away(e)]), told["deliveries"]
    if not thrown:
        return ""
    if thrown == len(all_ends):
        return _("It is accepted, and then thrown away.")
    return _("It is accepted, but thrown away at %(thrown)d of %(all)d places.") % {
        "thrown": thrown,
        "all": len(all_ends),
    }


def is_thrown_away(each):
    return each["kind"] == THROWN_AWAY


def is_lost(each):
    return each["kind"] in LOST or bool(each.get("is_over"))


def outcome(told):
    """One word for programs and colours."""
    if told["trouble"]:
        return "unknown"
    if told["reply"]:
        return "refused"
    if told["deliveries"] and all(is_thrown_away(each) for each in told["deliveries"]):
        return "discarded"
    lost = [is_lost(each) or is_thrown_away(each) for each in told["deliveries"]]
    return "arrives" if not any(lost) else "returned" if all(lost) else "partly"


def refusal(told):
    """Why it is refused, as far as rows tell it."""
    if told["loop"]:
        way = " → ".join(told["loop"])
        if told["is_circle"]:
            return _("The aliases lead in a circle, so it never arrives: %(way)s") % {"way": way}
        return _("The way has no end, so it never arrives: %(way)s …") % {"way": way}
    if SWITCHED_OFF.partition(" ")[2].partition(" ")[2] in told["reply"]:
        return _("The mailbox is switched off.")
    if asleep := [row for look in told["steps"][0]["lookups"] for row in look["inactive"]]:
        return _("%(row)s: %(reason)s.") % {"row": asleep[0]["key"], "reason": asleep[0]["reason"]}
    if told["class"] == "default":
        return _("The domain is none of this server’s, unless it is one of its own names.")
    return _("There is no mailbox, alias or catch-all of this name.")


def ending(each):
    """Where one way ends, in a line."""
    words = {
        "mailbox": _("%(address)s: is delivered to the mailbox %(mailbox)s (%(path)s)"),
        "autoreply": _("%(mailbox)s is away: an answer is sent"),
        "relay": _("%(address)s: is relayed, as for a backup MX"),
        "remote": _("%(address)s: is sent to another server"),
        "local": _("%(address)s: goes to a user of the mail server itself"),
        "unknown": _("%(address)s: comes back, since no mailbox that is switched on has this name"),
        "virtual": _("%(address)s: is handed to another transport than the usual one"),
        "bounced": _("%(address)s: comes back, since its transport sends it back"),
        "deferred": _("%(address)s: waits, and comes back after days: its transport puts it off"),
        "discarded": _("%(address)s: is thrown away by its transport, and nobody hears of it"),
        "foreign": _("%(address)s: leaves your domains"),
    }
    text = words[each["kind"]] % each
    if each["kind"] == "autoreply" and not each["answers"]:
        text = _("%(mailbox)s is not away now: no answer is sent") % each
    return text + fullness(each)


def fullness(each):
    """How much of the quota is used, where there is one."""
    if not each.get("quota"):
        return ""
    text = _("%(used)s of %(quota)s used") % {
        "used": megabytes(each["used"]),
        "quota": megabytes(each["quota"]),
    }
    over = ": " + _("it is full, so mail comes back") if each["is_over"] else ""
    return f" – {text}{over}"
