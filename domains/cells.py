"""The cells of domains: what is in them, against their limits."""

import functools
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from domains.patterns import service_trouble
from mailadmin.templatetags.mailadmin import limit_text, megabytes, megabytes_text
from mailadmin.templatetags.rows import bar

COUNT = '<a class="text-reset" href="{}?{}">{}</a> <small>/ {}</small>'


def count(kind, page, row, name, value):
    """How many mailboxes or aliases, with the way to them."""
    return format_html(
        COUNT,
        reverse(f"{kind}-list"),
        urlencode({"domain": row.pk}),
        number_format(getattr(row.state, kind)),
        limit_text(getattr(row, kind)),
    )


BROKEN = '<span class="textcell">{}</span> <span class="badge text-bg-danger" title="{}">{}</span>'


def transport(page, row, name, value):
    """Where mail goes, and that this cannot work."""
    trouble = service_trouble(value.partition(":")[0])
    if not trouble:
        return format_html('<span class="textcell">{}</span>', value)
    return format_html(BROKEN, value, trouble, _("cannot work"))


mailboxes = functools.partial(count, "mailboxes")
aliases = functools.partial(count, "aliases")


def quota(page, row, name, value):
    limit = megabytes_text(row.quota) if row.quota > 0 else limit_text(row.quota)
    given = row.state.quota_assigned
    return format_html(
        "<div>{} <small>/ {}</small>{}</div>",
        megabytes(given),
        limit,
        bar(given, row.quota_size, _("Quota assigned")) if row.quota > 0 else "",
    )
