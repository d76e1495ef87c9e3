"""The cells of the domain list: counts and quotas against their limits."""

import functools
from typing import Any
from urllib.parse import urlencode

from django.utils.html import escape

from domains.patterns import find_service_problem
from mailadmin.formatting import (
    format_megabytes,
    format_number,
    format_quota_limit,
    format_size,
    page_url,
    render_limit,
    unicode_address,
)
from mailadmin.html_formats import HTMLFormat
from mailadmin.tables.cells import (
    BADGE_HTML,
    USAGE_HTML,
    RowRenderer,
    render_key_cell,
    render_meter,
)

COUNT_HTML = HTMLFormat('<a href="{}?{}">{}</a> <small>/ {}</small>')


def render_count_cell(relation: str, renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the number of mailboxes or aliases and the limit, with a link to their list."""
    return COUNT_HTML(
        page_url(f"{relation}-list"),
        urlencode({"domain": row.pk}),
        format_number(getattr(row.state, relation), language=renderer.language),
        render_limit(getattr(row, relation), language=renderer.language),
    )


BROKEN_TRANSPORT_HTML = HTMLFormat('{} <span class="badge fail" title="{}">{}</span>')


def render_transport_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the transport, marked if its service does not exist."""
    problem = find_service_problem(value.partition(":")[0])
    if not problem:
        return escape(value)
    return BROKEN_TRANSPORT_HTML(value, problem, renderer.gettext("cannot work"))


render_mailbox_count_cell = functools.partial(render_count_cell, "mailboxes")
render_alias_count_cell = functools.partial(render_count_cell, "aliases")


def render_domain_quota_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the assigned quota against the limit, with a bar."""
    language, assigned = renderer.language, row.state.quota_assigned
    if row.enforced_quota > 0:
        label = renderer.gettext("Quota assigned")
        bar: str = render_meter(assigned, row.quota_size, label, language)
        limit = format_megabytes(row.enforced_quota, language=language)
    else:
        bar, limit = "", render_limit(row.enforced_quota, format_quota_limit, language=language)
    return USAGE_HTML(bar, format_size(assigned, language), limit)


def render_domain_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the link to a domain, marked if this server is its backup MX."""
    link = render_key_cell(renderer, row, name, value)
    return link + BADGE_HTML(renderer.gettext("backup MX")) if row.backupmx else link


def render_assigned_domains_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return how many domains an admin has."""
    if row.superadmin:
        return BADGE_HTML(renderer.gettext("superadmin"))
    return format_number(row.domain_count, language=renderer.language)


def render_exception_name_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the mailbox or domain of an exception, or that it applies to everybody."""
    return escape(unicode_address(value)) if value else BADGE_HTML(renderer.gettext("all accounts"))
