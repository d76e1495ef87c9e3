"""What the templates cannot say by themselves: icons, links of a table, sizes, moments."""

import contextlib
import datetime
import functools
import re
from urllib.parse import quote

from django import template
from django.apps import apps
from django.conf import settings
from django.urls import get_script_prefix, reverse
from django.utils import formats, timezone
from django.utils.http import RFC3986_SUBDELIMS
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailadmin import passwords
from mailadmin.db.fields import is_known
from mailadmin.names import address_in_unicode

register = template.Library()

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
ICONS = settings.BASE_DIR / "static/vendor/bootstrap-icons-1.13.2/icons"


@register.simple_tag
@functools.cache
def icon(name):
    """An icon as shipped; it says nothing, so readers aloud pass over it."""
    svg = (ICONS / f"{name}.svg").read_text()
    return mark_safe(svg.replace("<svg ", '<svg aria-hidden="true" ', 1))  # noqa: S308 (a file of ours)


@register.simple_tag
def crud_url(crud, screen, key=None):
    return crud.url(screen, key)


@register.simple_tag
def key_url(name, key):
    """What `reverse` says of a key: nothing else differs between the rows of a table."""
    before, after = _around_key(name, get_script_prefix())
    return before + quote(str(key), safe=RFC3986_SUBDELIMS + "/~:@") + after


@functools.cache
def _around_key(name, prefix):
    return reverse(name, args=["\0"]).split(quote("\0"))


@register.filter
def unsupported_scheme(stored):
    """The scheme of a stored password with which nobody signs in; empty for all others."""
    return passwords.unsupported_scheme(stored)


@register.filter
def cell_value(row, name):
    """The stored value; of a key its text, which costs no query."""
    return getattr(row, f"{name}_id") if hasattr(row, f"{name}_id") else getattr(row, name, None)


@register.filter
def summary(row):
    """What a row says of itself beside its name."""
    return getattr(row, "description", "") or getattr(row, "name", "")


@register.filter
def readable(address):
    return address_in_unicode(str(address))


@register.filter
def moment(value):
    """Date and time, or a dash where PostfixAdmin did not know."""
    if not is_known(value):
        return "–"
    return formats.date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


@register.filter
def megabytes(size):
    """Bytes as the MB of the quota columns, larger ones as GB."""
    if size in (None, ""):
        return "–"
    return megabytes_text(size / settings.MAILADMIN_QUOTA_MULTIPLIER)


@register.filter
def megabytes_text(size):
    if size >= 10000:
        return _("%(size)s GB") % {"size": formats.number_format(round(size / 1000, 1), 1)}
    digits = 0 if size >= 10 or size == int(size) else 1
    return _("%(size)s MB") % {"size": formats.number_format(round(size, digits), digits)}


@register.filter
def quota_bytes(megabytes):
    return megabytes * settings.MAILADMIN_QUOTA_MULTIPLIER


@register.filter
def percent_of(part, whole):
    """A whole number from 0 to 100; 0 where there is no whole."""
    if not whole or whole <= 0:
        return 0
    return max(0, min(100, round(100 * part / whole)))


@register.filter
def limit_text(limit):
    """PostfixAdmin's -1 and 0 in words."""
    match limit:
        case -1:
            return _("none allowed")
        case 0:
            return _("unlimited")
    return formats.number_format(limit)


@register.filter
def level(percent):
    """How alarming a bar is."""
    return "danger" if percent >= 90 else "warning" if percent >= 70 else "success"


@register.filter
def lookup(mapping, key):
    return mapping.get(key, key)


@register.filter
def change_lines(change):
    """(column, old, new) of a change record in words."""
    for column, value in change.values.items():
        label = column_label(change.table, column)
        match value:
            case {"added": added, "removed": removed}:
                yield label, ", ".join(removed), ", ".join(added)
            case [old, new]:
                yield label, in_words(old), in_words(new)
            case _:
                yield label, _("(secret)"), _("(secret)")


@functools.cache
def column_label(table, column):
    """What a column is called; one that is no more keeps its name."""
    models = [model for model in apps.get_models() if model._meta.model_name == table]
    fields = [field for model in models for field in model._meta.concrete_fields]
    return next((field.verbose_name for field in fields if field.column == column), column)


def in_words(value):
    """A value of the change record as people read it."""
    match value:
        case None:
            return ""
        case bool():
            return _("yes") if value else _("no")
        case str() if STAMP.fullmatch(value):
            with contextlib.suppress(ValueError):
                return moment(timezone.make_aware(datetime.datetime.fromisoformat(value)))
    return value


@register.simple_tag
def rows_text(count):
    text = ngettext("%(count)s row", "%(count)s rows", count)
    return text % {"count": formats.number_format(count)}


@register.simple_tag(takes_context=True)
def is_current(context, url):
    """Whether the menu entry is where we are."""
    path = context["request"].path
    return path == url if url == "/" else path.startswith(url)


@register.simple_tag
def regroup_lookups(lookups):
    """Questions that some row has to do with, and the others."""
    told = {"hits": [], "misses": []}
    for each in lookups:
        is_hit = each["answer"] is not None or each["inactive"]
        told["hits" if is_hit else "misses"].append(each)
    return told
