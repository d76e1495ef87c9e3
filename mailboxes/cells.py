"""Cells of the lists of mailboxes and aliases."""

from typing import Any

from django.utils.html import escape, format_html
from django.utils.translation import gettext as _

from mailadmin.formatting import (
    format_limit_html,
    format_quota_limit,
    format_size,
    key_url,
    unicode_address,
)
from mailadmin.tables.cells import RowRenderer, render_badge, render_key_cell, render_meter
from mailboxes.models import Alias

WARNING_HTML = '<span class="badge warn" title="{}">{}</span> '
FORWARDING_LINK_HTML = '<a href="{}">{}</a>'
MAX_SHOWN_TARGETS = 2


def render_mailbox_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the link to a mailbox, marked if it may not send or its domain is inactive."""
    link = render_key_cell(renderer, row, name, value)
    if row.is_domain_inactive:
        link += render_badge(_("domain inactive"))
    return link if row.smtp_active else link + render_badge(_("sending blocked"))


def render_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if row.quota <= 0:
        return format_html(
            "{} <small>/ {}</small>",
            format_size(row.used),
            format_limit_html(row.quota, format_quota_limit),
        )
    return format_html(
        '<span class="usage">{}{} <small>/ {}</small></span>',
        render_meter(row.used, row.quota, _("Quota used")),
        format_size(row.used),
        format_size(row.quota),
    )


def render_forwarding_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    away = render_badge(_("vacation reply")) if row.is_away else ""
    if not row.alias:
        title = _("The mailbox has no alias row, so a catch-all takes its mail.")
        return format_html(WARNING_HTML, title, _("no alias")) + away
    shown = format_html(
        FORWARDING_LINK_HTML, key_url("mailbox-forwarding", row.pk), format_targets(row.alias)
    )
    return render_problems(row) + shown + away


def render_problems(row: Any) -> str:
    """Return a warning if mail to some target of the row is undeliverable."""
    if not row.problems:
        return ""
    return format_html(WARNING_HTML, " ".join(row.problems), _("undeliverable"))


def format_targets(alias: Alias) -> str:
    """Return where mail goes: to the mailbox, to others, or both."""
    others = alias.others
    if alias.is_autoreply_only:
        return _("vacation reply only")
    if not others:
        return _("mailbox")
    own = _("mailbox") + " + " if alias.keeps_copy else ""
    return own + format_first(others)


def format_first(targets: list[str]) -> str:
    """Return the first targets, and how many more there are."""
    more = len(targets) - MAX_SHOWN_TARGETS
    shown = ", ".join(map(unicode_address, targets[:MAX_SHOWN_TARGETS]))
    return f"{shown} +{more}" if more > 0 else shown


def render_alias_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    link = render_key_cell(renderer, row, name, value)
    return link + render_badge(_("catch-all")) if row.is_catch_all else link


def render_targets_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return render_problems(row) + escape(format_first(row.targets))
