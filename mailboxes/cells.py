"""Cells of the list of mailboxes: quota and forwarding."""

from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _

from mailadmin.formatting import format_limit, format_size, key_url
from mailadmin.tables.cells import RowRenderer, render_meter
from mailboxes.models import Alias

VACATION_BADGE_HTML = '<a class="badge text-bg-info text-decoration-none" href="{}">{}</a> '
MISSING_ALIAS_HTML = (
    '<div class="goto">{}<span class="badge text-bg-warning" title="{}">{}</span></div>'
)
UNDELIVERABLE_BADGE_HTML = '<span class="badge text-bg-warning" title="{}">{}</span>'
FORWARDING_LINK_HTML = '<div class="goto">{}<a class="link-secondary" href="{}">{}</a></div>'
MAX_SHOWN_TARGETS = 2


def render_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    limit = format_size(row.quota) if row.quota > 0 else format_limit(row.quota)
    return format_html(
        "<div>{} <small>/ {}</small>{}</div>",
        format_size(row.used),
        limit,
        render_meter(row.used, row.quota, _("Quota used by %(row)s") % {"row": row})
        if row.quota > 0
        else "",
    )


def render_forwarding_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    away = (
        format_html(VACATION_BADGE_HTML, key_url("mailbox-vacation", row.pk), _("vacation reply"))
        if row.is_away
        else ""
    )
    if not row.alias:
        title = _("The mailbox has no alias row, so a catch-all takes its mail.")
        return format_html(MISSING_ALIAS_HTML, away, title, _("no alias"))
    shown = format_html(
        FORWARDING_LINK_HTML, away, key_url("mailbox-forwarding", row.pk), format_targets(row.alias)
    )
    if not row.problems:
        return shown
    return shown + format_html(UNDELIVERABLE_BADGE_HTML, " ".join(row.problems), _("undeliverable"))


def format_targets(alias: Alias) -> str:
    """Return where mail goes: to the mailbox, to others, or both."""
    others = alias.others
    if alias.is_autoreply_only:
        return _("answered only")
    if not others:
        return _("mailbox")
    own = _("mailbox") + " + " if alias.keeps_copy else ""
    more = f" +{len(others) - MAX_SHOWN_TARGETS}" if len(others) > MAX_SHOWN_TARGETS else ""
    return own + ", ".join(others[:MAX_SHOWN_TARGETS]) + more
