"""Where mail for an address goes, in a few sentences for the page of a mailbox or an alias."""

from collections.abc import Iterator

from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from mailadmin.formatting import fill_html, unicode_address
from mailadmin.names import fold
from mailboxes.models import is_vacation_target
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.html import (
    MAX_NAMED,
    Data,
    format_delivery_html,
    format_handled_as_html,
    link_row,
    list_in_words,
)

HANDED_OVER_KINDS = ("relay", "remote", "virtual")


def format_sentences(explanation: Data) -> SafeString:
    """Return where mail goes in a sentence, then one for each delivery that fails."""
    return format_html_join(" ", "{}", ((each,) for each in iter_sentences(explanation)))


def iter_sentences(explanation: Data) -> Iterator[SafeString]:
    if explanation["handled_as"]:
        yield format_handled_as_html(explanation)
    failures = [d for d in explanation["deliveries"] if is_failure(d)][:MAX_NAMED]
    values: Data = {"address": unicode_address(explanation["address"])}
    if messages.get_outcome(explanation) == messages.REJECTED:
        values["reason"] = messages.format_rejection_reason(explanation)
        yield fill_html(_("Mail to %(address)s is rejected: %(reason)s."), values)
    elif clauses := list(iter_clauses(explanation)):
        values["clauses"] = list_in_words(clauses)
        yield fill_html(_("Mail to %(address)s is %(clauses)s."), values)
    elif not failures:
        yield escape(messages.format_headline(explanation))
    yield from map(format_delivery_html, failures)


def is_failure(delivery: Data) -> bool:
    return delivery["verdict"] in messages.FAILURE_VERDICTS


def iter_clauses(explanation: Data) -> Iterator[SafeString]:
    """Yield what happens to mail: delivered here, handed over, forwarded, answered."""
    own, others = separate_own(explanation)
    kinds = {each["kind"] for each in own if not is_failure(each)}
    taken = [each for each in others if each["kind"] == "mailbox" and not is_failure(each)]
    recipients = {"targets": list_in_words([name_recipient(each) for each in taken])}
    forwards = find_forwards(explanation, others, taken)
    if "mailbox" in kinds and taken and not forwards:
        yield fill_html(_("delivered here and to %(targets)s"), recipients)
    elif "mailbox" in kinds:
        yield escape(_("delivered here"))
    if not kinds.isdisjoint(HANDED_OVER_KINDS):
        yield escape(_("handed to another server"))
    if forwards:
        yield fill_html(_("forwarded to %(targets)s"), {"targets": list_in_words(forwards)})
    if taken and ("mailbox" not in kinds or forwards):
        yield fill_html(_("delivered to %(targets)s"), recipients)
    is_answered = any(each.get("answers") for each in explanation["deliveries"])
    if is_answered and (kinds or others):
        yield escape(_("answered with a vacation reply"))


def find_forwards(explanation: Data, others: list[Data], taken: list[Data]) -> list[str]:
    """Return the targets of the address itself, then other recipients, without mailboxes here."""
    own = get_recipient_addresses(explanation)
    steps = [step for step in explanation["steps"][1:] if fold(step["address"]) in own]
    targets = [target for step in steps for target in step["targets"]]
    targets += [each["address"] for each in others if each not in taken]
    delivered = {fold(name) for each in taken for name in (each["mailbox"], each["address"])}
    found = {fold(each): each for each in targets if not is_vacation_target(each)}
    return [unicode_address(found[key]) for key in found if key not in own | delivered]


def get_recipient_addresses(explanation: Data) -> set[str]:
    """Return the recipient's address, and its form in the target of an alias domain, folded."""
    handled_as = explanation["handled_as"] or explanation
    return {fold(explanation["address"]), fold(handled_as["address"])}


def separate_own(explanation: Data) -> tuple[list[Data], list[Data]]:
    """Return the deliveries to the address itself and those to others, without vacation replies."""
    addresses = get_recipient_addresses(explanation)
    own: list[Data] = []
    others: list[Data] = []
    for each in explanation["deliveries"]:
        if each["kind"] != "autoreply":
            is_own = fold(each.get("mailbox") or each["address"]) in addresses
            (own if is_own else others).append(each)
    return own, others


def name_recipient(delivery: Data) -> str:
    """Return the mailbox of a delivery as a link, else its address."""
    if delivery["kind"] == "mailbox":
        return link_row("mailbox", delivery["mailbox"])
    return unicode_address(delivery["address"])
