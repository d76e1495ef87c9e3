"""Format values for people: sizes, dates, addresses, limits; and URLs."""

import datetime
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from django.conf import settings
from django.urls import get_script_prefix, reverse
from django.utils import formats, timezone
from django.utils.html import conditional_escape, escape, format_html
from django.utils.http import RFC3986_SUBDELIMS
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from mailadmin.db.fields import is_known_year
from mailadmin.html_formats import HTMLFormat
from mailadmin.names import address_to_unicode

MOMENT_HTML = HTMLFormat('<span class="moment" title="{}">{}</span>')
BREAKABLE_HTML = HTMLFormat("{}@<wbr>{}")
KEY_SAFE_CHARACTERS = RFC3986_SUBDELIMS + "/~:@"
Result = TypeVar("Result")


def cached_in_language(function: Callable[..., Result]) -> Callable[..., Result]:
    """Cache what a function returns, for each language: the active one, or the keyword `language`.

    A page shows hundreds of dates, sizes and limits, many of them again and again.
    """

    @functools.lru_cache(maxsize=10_000, typed=True)
    def cached(language: str | None, *arguments: Any) -> Result:
        with override(language):
            return function(*arguments)

    @functools.wraps(function)
    def in_language(*arguments: Any, language: str | None = None) -> Result:
        return cached(language or get_language(), *arguments)

    return in_language


def page_url(name: str) -> str:
    """Return the URL of a page without a key: `reverse` is called once."""
    return _reverse(name, get_script_prefix())


@functools.cache
def _reverse(name: str, prefix: str) -> str:
    return reverse(name)


def key_url(name: str, key: Any) -> str:
    """Return the URL of a row: `reverse` is called once, as only the key differs."""
    return url_builder(name)(key)


def url_builder(name: str) -> Callable[[Any], str]:
    """Return the function that gives the URL of each key."""
    before, after = _split_url(name, get_script_prefix())
    return lambda key: before + quote(str(key), safe=KEY_SAFE_CHARACTERS) + after


@functools.cache
def _split_url(name: str, prefix: str) -> list[str]:
    return reverse(name, args=["\0"]).split(quote("\0"))


def fill_html(text: str, values: Mapping[str, Any]) -> SafeString:
    """Return a text with these values in its places: links stay links, all else is escaped."""
    escaped = {name: conditional_escape(value) for name, value in values.items()}
    return mark_safe(escape(text) % escaped)  # noqa: S308 (all parts are escaped)


def unicode_address(address: Any) -> str:
    return address_to_unicode(str(address))


def breakable_address(address: Any) -> SafeString:
    """Return an address as HTML that is wrapped before its domain, if it is too long for a line."""
    local_part, at, domain = str(address).rpartition("@")
    return BREAKABLE_HTML(local_part, domain) if at else escape(domain)


def format_datetime(value: datetime.datetime | None, language: str | None = None) -> str:
    """Return date and time, or a dash for an unknown date."""
    minute = to_local_minute(value)
    return format_minute(minute, language=language) if minute else "–"


def to_local_minute(value: datetime.datetime | None) -> datetime.datetime | None:
    """Return a moment in local time without its seconds; None for an unknown date."""
    if value is None:
        return None
    local = timezone.localtime(value)
    if not is_known_year(local.year):
        return None
    return datetime.datetime(local.year, local.month, local.day, local.hour, local.minute)


@cached_in_language
def format_minute(minute: datetime.datetime) -> str:
    return formats.date_format(minute, "SHORT_DATETIME_FORMAT")


@cached_in_language
def format_day(day: datetime.date) -> str:
    return formats.date_format(day, "SHORT_DATE_FORMAT")


def render_moment(
    value: datetime.datetime | None, today: datetime.date, language: str | None
) -> SafeString:
    """Return the time if the moment is today, else the date; the title has both."""
    minute = to_local_minute(value)
    if minute is None:
        return MOMENT_HTML("–", "–")
    return render_minute(minute, minute.date() == today, language=language)


@cached_in_language
def render_minute(minute: datetime.datetime, is_today: bool) -> SafeString:
    shown = formats.date_format(minute, "TIME_FORMAT" if is_today else "SHORT_DATE_FORMAT")
    return MOMENT_HTML(format_minute(minute), shown)


@cached_in_language
def format_number(number: int) -> str:
    """Return a number with the separators of the language."""
    return formats.number_format(number)


def format_size(size: float | str | None, language: str | None = None) -> str:
    """Return bytes in the MB of the quota columns, large ones in GB."""
    if size in (None, ""):
        return "–"
    return format_megabytes(size / settings.MAILADMIN_QUOTA_MULTIPLIER, language=language)


@cached_in_language
def format_megabytes(size: float) -> str:
    """Return megabytes, large ones in GB."""
    if size >= 10000:
        return _("%(size)s GB") % {"size": formats.number_format(round(size / 1000, 1), 1)}
    digits = 0 if size >= 10 or size == int(size) else 1
    return _("%(size)s MB") % {"size": formats.number_format(round(size, digits), digits)}


def percent_of(part: float, whole: float) -> int:
    """Return a percentage from 0 to 100; 0 if there is no whole."""
    if not whole or whole <= 0:
        return 0
    return max(0, min(100, round(100 * part / whole)))


@cached_in_language
def format_percent(percent: int) -> str:
    """Return a percentage as the language writes it: with a space before the sign or not."""
    return _("%(percent)s%%") % {"percent": percent}


@cached_in_language
def format_limit(limit: int) -> str:
    """Return a limit as text; 0 is unlimited and -1 none, as in PostfixAdmin."""
    match limit:
        case -1:
            return _("none allowed")
        case 0:
            return _("unlimited")
    return formats.number_format(limit)


@cached_in_language
def format_quota_limit(limit: int) -> str:
    """Return a quota that sets no size as text: 0 is unlimited, and -1 disables quotas."""
    return _("quotas disabled") if limit == -1 else format_limit(limit)


def dash(value: Any) -> Any:
    """Return a dash for an empty value."""
    return "–" if value in (None, "") else value


@cached_in_language
def render_limit(limit: int, show: Callable[[int], str] = format_limit) -> SafeString:
    """Return a limit as lists show it: unlimited is a sign, since most rows may have none."""
    if limit != 0:
        return escape(show(limit))
    return format_html('<abbr title="{}">∞</abbr>', _("unlimited"))


def usage_level(percent: int) -> str:
    """Return the Bootstrap colour of a meter."""
    if percent >= settings.MAILADMIN_QUOTA_LEVEL_HIGH_PCT:
        return "danger"
    return "warning" if percent >= settings.MAILADMIN_QUOTA_LEVEL_MED_PCT else "success"
