"""Cells of the lists of mailboxes, aliases and sender permissions."""

from typing import Any

from django.utils.html import escape

from mailadmin.formatting import format_quota_limit, format_size, render_limit, unicode_address
from mailadmin.html_formats import HTMLFormat
from mailadmin.tables.cells import (
    BADGE_HTML,
    LINK_HTML,
    RowRenderer,
    render_key_cell,
    render_usage,
)
from mailboxes.models import Alias

WARNING_HTML = HTMLFormat('<span class="badge warn" title="{}">{}</span> ')
USED_HTML = HTMLFormat("{} <small>/ {}</small>")
MAX_SHOWN_TARGETS = 2


def render_mailbox_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the link to a mailbox, marked with what keeps its owner from using it."""
    link = render_key_cell(renderer, row, name, value)
    if row.is_domain_inactive:
        link += BADGE_HTML(renderer.gettext("domain inactive"))
    if row.password_has_expired():
        link += BADGE_HTML(renderer.gettext("password expired"))
    return link if row.smtp_active else link + BADGE_HTML(renderer.gettext("sending blocked"))


def render_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if row.quota > 0:
        return render_usage(renderer, row.used, row.quota, renderer.gettext("Quota used"))
    limit = render_limit(row.quota, format_quota_limit, language=renderer.language)
    return USED_HTML(format_size(row.used, renderer.language), limit)


def render_forwarding_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    away = BADGE_HTML(renderer.gettext("vacation reply")) if row.is_away else ""
    if not row.alias:
        title = renderer.gettext("The mailbox has no alias row, so a catch-all takes its mail.")
        return WARNING_HTML(title, renderer.gettext("no alias")) + away
    url = renderer.url_builder("mailbox-forwarding")(row.pk)
    shown = LINK_HTML(url, format_targets(renderer, row.alias))
    return render_problems(renderer, row) + shown + away


def render_problems(renderer: RowRenderer, row: Any) -> str:
    """Return a warning if mail to some target of the row is undeliverable."""
    if not row.problems:
        return ""
    return WARNING_HTML(" ".join(row.problems), renderer.gettext("undeliverable"))


def format_targets(renderer: RowRenderer, alias: Alias) -> str:
    """Return where mail goes: to the mailbox, to others, or both."""
    if alias.is_to_itself:
        return renderer.gettext("mailbox")
    others = alias.others
    if alias.is_autoreply_only:
        return renderer.gettext("vacation reply only")
    if not others:
        return renderer.gettext("mailbox")
    own = renderer.gettext("mailbox") + " + " if alias.keeps_copy else ""
    return own + format_first(others)


def format_first(targets: list[str]) -> str:
    """Return the first targets, and how many more there are."""
    more = len(targets) - MAX_SHOWN_TARGETS
    shown = ", ".join(map(unicode_address, targets[:MAX_SHOWN_TARGETS]))
    return f"{shown} +{more}" if more > 0 else shown


def render_alias_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    link = render_key_cell(renderer, row, name, value)
    return link + BADGE_HTML(renderer.gettext("catch-all")) if row.is_catch_all else link


def render_sender_address_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the link to a permission by its address, marked if it is for a whole domain."""
    link = LINK_HTML(renderer.row_url(row.pk), unicode_address(value))
    if not row.is_of_whole_domain:
        return link
    return link + BADGE_HTML(renderer.gettext("all addresses"))


def render_sender_mailbox_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the mailbox, with a link if it is in scope."""
    if not row.is_mailbox_visible:
        return escape(unicode_address(value))
    return LINK_HTML(renderer.url_builder("mailbox")(value), unicode_address(value))


def render_targets_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return render_problems(renderer, row) + escape(format_first(row.targets))
