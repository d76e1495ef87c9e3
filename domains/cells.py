"""The cells of domains: what is in them, against their limits."""

import functools
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from domains.patterns import find_service_problem
from mailadmin.formatting import format_limit, format_megabytes, format_size
from mailadmin.tables.cells import RowRenderer, render_meter

COUNT_HTML = '<a class="text-reset" href="{}?{}">{}</a> <small>/ {}</small>'


def render_count_cell(kind: str, renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """How many mailboxes or aliases, with the way to them."""
    return format_html(
        COUNT_HTML,
        reverse(f"{kind}-list"),
        urlencode({"domain": row.pk}),
        number_format(getattr(row.state, kind)),
        format_limit(getattr(row, kind)),
    )


BROKEN_TRANSPORT_HTML = (
    '<span class="textcell">{}</span> <span class="badge text-bg-danger" title="{}">{}</span>'
)


def render_transport_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Where mail goes, and that this cannot work."""
    trouble = find_service_problem(value.partition(":")[0])
    if not trouble:
        return format_html('<span class="textcell">{}</span>', value)
    return format_html(BROKEN_TRANSPORT_HTML, value, trouble, _("cannot work"))


render_mailbox_count_cell = functools.partial(render_count_cell, "mailboxes")
render_alias_count_cell = functools.partial(render_count_cell, "aliases")


def render_domain_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    limit = format_megabytes(row.quota) if row.quota > 0 else format_limit(row.quota)
    given = row.state.quota_assigned
    return format_html(
        "<div>{} <small>/ {}</small>{}</div>",
        format_size(given),
        limit,
        render_meter(given, row.quota_size, _("Quota assigned")) if row.quota > 0 else "",
    )
