"""An explained route as the page shows it: one sentence for each step, with links to the rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.formatting import fill_html, unicode_address
from mailadmin.names import fold
from mailboxes.models import Mailbox, is_vacation_target
from mailboxes.postfix.addresses import add_extension, split_address, split_extension
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.html import (
    MAX_NAMED,
    Data,
    format_delivery_html,
    format_handled_as_html,
    link_row,
    list_in_words,
)
from mailboxes.postfix.paths import Targets, find_shortest_path

LEVELS = {
    messages.DELIVERED: "ok",
    messages.HANDED_OVER: "ok",
    messages.BOUNCES: "fail",
    messages.DEFERRED: "fail",
}
DELIVERY_ICONS = {"mailbox": "inbox", "autoreply": "umbrella", "discarded": "trash3"}


@dataclass
class PathStep:
    """A step on the page: what happens, and the lookups that decided it."""

    text: SafeString | str
    icon: str
    level: str = ""  # ok, warn or fail, where something is decided
    lookups: list[Data] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # technical details beside the lookups
    reply: str = ""  # of Postfix to the sending server
    parts: list[SafeString] = field(default_factory=list)  # of a step that stands for several


def build_path(explanation: Data) -> list[PathStep]:
    """Return the steps from the recipient to where mail ends."""
    if explanation["trouble"]:
        return []
    address = unicode_address(explanation["address"])
    received = fill_html(_("Received for %(address)s."), {"address": address})
    steps = [PathStep(received, "envelope"), *build_alias_domain_steps(explanation)]
    mailboxes = find_mailboxes(explanation)
    if messages.is_refused_at_rcpt(explanation):
        return [*steps, build_rejected_step(explanation)]
    steps.append(build_accepted_step(explanation, mailboxes))
    steps += build_forwarding_steps(explanation, mailboxes)
    if explanation["reply"]:
        text = messages.format_headline(explanation)
        steps.append(build_refused_step(explanation, escape(text)))
    return [*steps, *build_delivery_steps(explanation["deliveries"])]


def find_mailboxes(explanation: Data) -> set[str]:
    """Return which of the aliases on the way belong to a mailbox, by their folded keys."""
    lookups = (lookup for step in explanation["steps"] for lookup in step["lookups"])
    keys = {row["key"] for lookup in lookups for row in lookup["rows"] if row["table"] == "alias"}
    found = Mailbox.objects.filter(pk__in=keys).values_list("pk", flat=True) if keys else ()
    return {fold(key) for key in found}


# The recipient


def build_alias_domain_steps(explanation: Data) -> Iterator[PathStep]:
    if explanation["handled_as"]:
        yield PathStep(format_handled_as_html(explanation), "signpost-split")


def format_page_headline(explanation: Data) -> str:
    """Return what happens, in a line; why a recipient is refused is said by the last step."""
    if explanation["trouble"] or not messages.is_refused_at_rcpt(explanation):
        return messages.format_headline(explanation)
    is_final = messages.get_outcome(explanation) == messages.REJECTED
    return _("Mail is rejected.") if is_final else _("Mail is deferred.")


def build_rejected_step(explanation: Data) -> PathStep:
    text, row = messages.choose_rejection_reason(explanation)
    values = {"row": link_row(row["table"], row["key"]), "reason": row["reason"]} if row else {}
    reason = fill_html(text, values) if row else escape(text)
    is_final = messages.get_outcome(explanation) == messages.REJECTED
    template = _("Rejected: %(reason)s.") if is_final else _("Deferred: %(reason)s.")
    step = build_refused_step(explanation, fill_html(template, {"reason": reason}))
    step.lookups = explanation["steps"][0]["lookups"]
    return step


def build_refused_step(explanation: Data, text: SafeString) -> PathStep:
    return PathStep(text, "exclamation-triangle", "fail", reply=explanation["reply"])


def build_accepted_step(explanation: Data, mailboxes: set[str]) -> PathStep:
    """Return why the recipient is accepted: its domain, and the row that takes its mail."""
    lookups = explanation["steps"][0]["lookups"]
    domain = split_address(explanation["address"])[1]
    row = find_answering_row(lookups)
    values: Data = {"domain": unicode_address(domain)}
    if any(each["key"] == domain for look in lookups for each in look["rows"]):
        values["domain"] = link_row("domain", domain)
    if row:
        values["row"] = link_alias_or_mailbox(row, mailboxes)
    text = choose_accepted_text(explanation["class"], row, mailboxes)
    return PathStep(fill_html(text, values), "check-circle", "ok", lookups)


def find_answering_row(lookups: list[Data]) -> Data | None:
    """Return the alias or mailbox that answered first, if it may be shown."""
    rows = (row for lookup in lookups if lookup["answer"] != "DUNNO" for row in lookup["rows"])
    return next((row for row in rows if row["table"] in ("alias", "mailbox")), None)


def link_alias_or_mailbox(row: Data, mailboxes: set[str]) -> SafeString:
    return link_row("mailbox" if is_mailbox(row, mailboxes) else "alias", row["key"])


def is_mailbox(row: Data, mailboxes: set[str]) -> bool:
    return row["table"] == "mailbox" or fold(row["key"]) in mailboxes


def choose_accepted_text(address_class: str, row: Data | None, mailboxes: set[str]) -> str:
    if address_class == "relay":
        return _("Accepted, because this server is a backup MX of %(domain)s.")
    if address_class == "local":
        return _("Accepted, because %(domain)s is a name of the mail server itself.")
    if row is None:
        return _("Accepted, because %(domain)s is a domain of this server.")
    if is_mailbox(row, mailboxes):
        return _(
            "Accepted, because %(domain)s is a domain of this server and the mailbox %(row)s"
            " exists."
        )
    if row["key"].startswith("@"):
        return _(
            "Accepted, because %(domain)s is a domain of this server and the catch-all %(row)s"
            " takes all other addresses."
        )
    return _(
        "Accepted, because %(domain)s is a domain of this server and the alias %(row)s exists."
    )


# Aliases and forwardings


def build_forwarding_steps(explanation: Data, mailboxes: set[str]) -> Iterator[PathStep]:
    """Yield a step for each row that forwards: once, though it may take several addresses."""
    shown = set()
    ways: dict[str, list[str]] = {}  # of the steps so far
    for step in explanation["steps"][1:]:
        ways[fold(step["address"])] = [fold(each) for each in step["targets"]]
        row = find_answering_row(step["lookups"])
        if targets := find_forwarding_targets(step, row):
            text = format_forwarding(step, row, targets, mailboxes)
            if text not in shown:
                yield PathStep(text, "forward", lookups=step["lookups"])
                yield from build_loop_steps(step, [] if explanation["reply"] else targets, ways)
            shown.add(text)
    if more := explanation["more_steps"]:
        left_out = ngettext(
            "%(n)s more step is not shown.", "%(n)s more steps are not shown.", more
        )
        yield PathStep(fill_html(left_out, {"n": more}), "list")


def build_loop_steps(step: Data, targets: list[str], ways: Targets) -> Iterator[PathStep]:
    """Yield a step for each target from which mail has come: Postfix does not expand it again."""
    for target in targets:
        if find_shortest_path(fold(target), fold(step["address"]), ways):
            values = {"address": unicode_address(target)}
            text = fill_html(_("Not delivered to %(address)s again: alias loop."), values)
            yield PathStep(text, "arrow-counterclockwise", "warn")


def find_forwarding_targets(step: Data, row: Data | None) -> list[str]:
    """Return the targets besides the address itself and its vacation reply."""
    own = get_own_addresses(step["address"], row)
    others = [target for target in step["targets"] if not is_vacation_target(target)]
    return [target for target in others if fold(target) not in own]


def get_own_addresses(address: str, row: Data | None) -> set[str]:
    """Return the forms of an address that mean the row that was found for it."""
    own = {fold(address)}
    if row:
        delimiter = settings.MAILADMIN_RECIPIENT_DELIMITER
        extension = split_extension(split_address(address)[0], delimiter)[1]
        own |= {fold(row["key"]), fold(add_extension(row["key"], extension))}
    return own


def format_forwarding(
    step: Data, row: Data | None, targets: list[str], mailboxes: set[str]
) -> SafeString:
    values: Data = {
        "address": unicode_address(step["address"]),
        "targets": list_in_words([unicode_address(each) for each in targets]),
    }
    if row:
        values["row"] = link_alias_or_mailbox(row, mailboxes)
    return fill_html(choose_forwarding_text(step, row, mailboxes), values)


def choose_forwarding_text(step: Data, row: Data | None, mailboxes: set[str]) -> str:
    if row is None:
        return _("%(address)s is forwarded to %(targets)s.")
    if row["key"].startswith("@"):
        return _("The catch-all %(row)s forwards mail for %(address)s to %(targets)s.")
    if not is_mailbox(row, mailboxes):
        return _("The alias %(row)s forwards to %(targets)s.")
    if get_own_addresses(step["address"], row) & {fold(each) for each in step["targets"]}:
        return _("The mailbox %(row)s keeps a copy and forwards to %(targets)s.")
    return _("The mailbox %(row)s forwards to %(targets)s and keeps no copy.")


# Deliveries


def build_delivery_steps(deliveries: list[Data]) -> Iterator[PathStep]:
    """Yield a step for each delivery, or one for many of the same kind."""
    groups: dict[tuple[str, str], list[Data]] = {}
    for each in deliveries:
        groups.setdefault((each["kind"], each["verdict"]), []).append(each)
    for group in groups.values():
        if len(group) > MAX_NAMED:
            yield build_group_step(group)
        else:
            yield from map(build_delivery_step, group)


def build_group_step(deliveries: list[Data]) -> PathStep:
    """Return a step for many deliveries of one kind, with a sentence for each in it."""
    verdict, kind = deliveries[0]["verdict"], deliveries[0]["kind"]
    text = format_group(deliveries, verdict)
    icon, level = DELIVERY_ICONS.get(kind, "send"), LEVELS.get(verdict, "warn")
    return PathStep(text, icon, level, parts=[format_delivery_html(each) for each in deliveries])


def format_group(deliveries: list[Data], verdict: str) -> str:
    """Return what becomes of mail at many deliveries of one kind, in a line."""
    if verdict == messages.ANSWERED:
        return messages.format_vacation_replies(deliveries)
    text = messages.HEADLINE_FORMATTERS[verdict](deliveries)
    if verdict == messages.DELIVERED:
        return text
    return _("%(number)d recipients: %(text)s") % {"number": len(deliveries), "text": text}


def build_delivery_step(delivery: Data) -> PathStep:
    verdict, kind = delivery["verdict"], delivery["kind"]
    return PathStep(
        format_delivery_html(delivery),
        DELIVERY_ICONS.get(kind, "send"),
        LEVELS.get(verdict, "warn"),
        delivery["lookups"],
        list(iter_delivery_notes(delivery)),
    )


def iter_delivery_notes(delivery: Data) -> Iterator[str]:
    """Yield the folder or the transport, as far as they may be shown."""
    if path := delivery.get("path"):
        yield _("Folder: %(path)s") % {"path": path}
    if transport := delivery.get("transport"):
        yield _("Transport: %(transport)s") % {"transport": f"{transport}:{delivery['nexthop']}"}
