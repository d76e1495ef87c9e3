"""The cells of the domain list: counts and quotas against their limits."""

import functools
from typing import Any
from urllib.parse import urlencode

from django.utils.formats import number_format
from django.utils.html import escape, format_html
from django.utils.translation import gettext as _

from domains.patterns import find_service_problem
from mailadmin.formatting import (
    format_limit_html,
    format_megabytes,
    format_quota_limit,
    format_size,
    page_url,
)
from mailadmin.tables.cells import RowRenderer, render_badge, render_key_cell, render_meter

COUNT_HTML = '<a href="{}?{}">{}</a> <small>/ {}</small>'


def render_count_cell(relation: str, renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the number of mailboxes or aliases and the limit, with a link to their list."""
    return format_html(
        COUNT_HTML,
        page_url(f"{relation}-list"),
        urlencode({"domain": row.pk}),
        number_format(getattr(row.state, relation)),
        format_limit_html(getattr(row, relation)),
    )


BROKEN_TRANSPORT_HTML = '{} <span class="badge fail" title="{}">{}</span>'


def render_transport_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the transport, marked if its service does not exist."""
    problem = find_service_problem(value.partition(":")[0])
    if not problem:
        return escape(value)
    return format_html(BROKEN_TRANSPORT_HTML, value, problem, _("cannot work"))


render_mailbox_count_cell = functools.partial(render_count_cell, "mailboxes")
render_alias_count_cell = functools.partial(render_count_cell, "aliases")


def render_domain_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the assigned quota against the limit, with a bar."""
    limit = (
        format_megabytes(row.quota)
        if row.quota > 0
        else format_limit_html(row.quota, format_quota_limit)
    )
    assigned = row.state.quota_assigned
    return format_html(
        '<span class="usage">{}{} <small>/ {}</small></span>',
        render_meter(assigned, row.quota_size, _("Quota assigned")) if row.quota > 0 else "",
        format_size(assigned),
        limit,
    )


def render_domain_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the link to a domain, marked if this server is its backup MX."""
    link = render_key_cell(renderer, row, name, value)
    return link + render_badge(_("backup MX")) if row.backupmx else link


def render_assigned_domains_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return how many domains an admin has."""
    if row.superadmin:
        return render_badge(_("superadmin"))
    return number_format(row.domain_count)
