"""Cells of the list of app passwords."""

from typing import Any

from django.utils.html import escape

from mailadmin.formatting import unicode_address
from mailadmin.tables.cells import BADGE_HTML, LINK_HTML, RowRenderer, render_datetime_cell


def render_owner_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the mailbox, with a link to its page of app passwords."""
    if not value:
        return "–"
    return LINK_HTML(renderer.url_builder("mailbox-app-passwords")(value), unicode_address(value))


def render_kind_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return renderer.gettext("this panel") if row.is_generated else "PostfixAdmin"


def render_protocols_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the protocols that the app password is good for."""
    if row.known_limits is not None:
        return escape(", ".join(row.known_limits.protocol_names))
    return renderer.gettext("none") if row.is_generated else renderer.gettext("all")


def render_expiry_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return until when it works, marked if that is over."""
    limits = row.known_limits
    if limits is None or limits.expires is None:
        return ""
    shown = render_datetime_cell(renderer, row, name, limits.expires)
    return shown + BADGE_HTML(renderer.gettext("expired")) if limits.is_expired else shown
