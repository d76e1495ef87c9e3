"""The cells of domains: what is in them, against their limits."""

import functools
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from domains.patterns import service_trouble
from mailadmin.formatting import format_limit, format_megabytes, format_size
from mailadmin.tables.cells import RowRenderer, render_meter

COUNT = '<a class="text-reset" href="{}?{}">{}</a> <small>/ {}</small>'


def count(kind: str, renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """How many mailboxes or aliases, with the way to them."""
    return format_html(
        COUNT,
        reverse(f"{kind}-list"),
        urlencode({"domain": row.pk}),
        number_format(getattr(row.state, kind)),
        format_limit(getattr(row, kind)),
    )


BROKEN = '<span class="textcell">{}</span> <span class="badge text-bg-danger" title="{}">{}</span>'


def transport(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Where mail goes, and that this cannot work."""
    trouble = service_trouble(value.partition(":")[0])
    if not trouble:
        return format_html('<span class="textcell">{}</span>', value)
    return format_html(BROKEN, value, trouble, _("cannot work"))


mailboxes = functools.partial(count, "mailboxes")
aliases = functools.partial(count, "aliases")


def quota(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    limit = format_megabytes(row.quota) if row.quota > 0 else format_limit(row.quota)
    given = row.state.quota_assigned
    return format_html(
        "<div>{} <small>/ {}</small>{}</div>",
        format_size(given),
        limit,
        render_meter(given, row.quota_size, _("Quota assigned")) if row.quota > 0 else "",
    )
