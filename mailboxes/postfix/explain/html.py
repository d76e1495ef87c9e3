"""Parts of explained routes as pages show them: addresses and rows as links, escaped."""

from collections.abc import Sequence
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin.formatting import fill_html, key_url, unicode_address
from mailboxes.postfix.explain import messages
from mailboxes.postfix.explain.alias_domains import get_handled_as_text

Data = dict[str, Any]  # of an explanation, or of a part of it

ROW_URL_NAMES = {  # of the pages that show a row
    "alias": "alias",
    "mailbox": "mailbox",
    "domain": "domain",
    "aliasdomain": "alias-domains-edit",
    "transport": "transports-edit",
}
MAX_NAMED = 10  # addresses that a sentence names


def link_row(model: str, key: str) -> SafeString:
    """Return the name of a row as a link to its page."""
    url = key_url(ROW_URL_NAMES[model], key)
    return format_html('<a href="{}">{}</a>', url, unicode_address(key))


def list_in_words(items: Sequence[str]) -> SafeString:
    """Return the first addresses, links or clauses as a list in words, and how many more."""
    shown: list[str] = [conditional_escape(item) for item in items[:MAX_NAMED]]
    more = len(items) - MAX_NAMED
    if more > 0:
        shown.append(conditional_escape(ngettext("%(n)s more", "%(n)s more", more) % {"n": more}))
    return mark_safe(get_text_list(shown, _("and")))  # noqa: S308 (all parts are escaped)


def format_handled_as_html(explanation: Data) -> SafeString:
    """Return the sentence about the alias domain, with links to its row and its target."""
    handled_as = explanation["handled_as"]
    alias_domain: str = unicode_address(handled_as["alias_domain"])
    if handled_as["url"]:
        alias_domain = format_html('<a href="{}">{}</a>', handled_as["url"], alias_domain)
    values = {
        "typed": unicode_address(explanation["address"]),
        "address": unicode_address(handled_as["address"]),
        "alias_domain": alias_domain,
        "target_domain": link_row("domain", handled_as["target_domain"]),
    }
    return fill_html(get_handled_as_text(), values)


def format_delivery_html(delivery: Data) -> SafeString:
    """Return where one delivery goes, with a link to its mailbox."""
    values = messages.get_delivery_values(delivery)
    values["address"] = unicode_address(values["address"])
    if values["mailbox"]:
        values["mailbox"] = link_row("mailbox", values["mailbox"])
    text = fill_html(messages.choose_delivery_text(delivery), values)
    reason = messages.format_failure_reason(delivery)
    return format_html("{} {}", text, reason) if reason else text
