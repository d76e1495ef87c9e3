"""Check the filters and the page size of a list request."""

import contextlib
import re
from collections.abc import Collection, Mapping

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from mailadmin.accounts.stored_schemes import is_scheme_filter
from mailadmin.api.problems import build_validation_problem
from mailadmin.tables.filters import is_number_of_days

DEFAULT_PAGE_SIZE = 100
MAX_ROWS = 1000  # of a page, and of a list that is sent
LIMIT_RE = re.compile("[0-9]{1,5}")
PAGE_PARAMS = ("after", "limit")


def check_filters(params: Mapping[str, str], filter_names: Collection[str]) -> None:
    """Refuse unknown filters: a misspelled one would show more rows than were asked for."""
    known = {*filter_names, *PAGE_PARAMS}
    errors = {name: [_("Unknown filter.")] for name in params if name not in known}
    for name, is_valid in FILTER_VALIDATORS.items():
        if name in params and not is_valid(params[name]):
            errors[name] = [_("This value is not valid for this filter.")]
    if errors:
        raise build_validation_problem(errors)


def is_flag(text: str) -> bool:
    """Return whether this is 0 or 1."""
    return text in ("0", "1")


def is_iso_date(text: str) -> bool:
    """Return whether this is a day such as 2026-01-31."""
    with contextlib.suppress(ValueError):
        return parse_date(text) is not None
    return False


FILTER_VALIDATORS = {
    "active": is_flag,
    "from": is_iso_date,
    "until": is_iso_date,
    "scheme": is_scheme_filter,
    "unused": is_number_of_days,
}


def parse_limit(params: Mapping[str, str]) -> int:
    """Return how many rows a page should have."""
    text = params.get("limit", str(DEFAULT_PAGE_SIZE))
    if not LIMIT_RE.fullmatch(text) or not 0 < int(text) <= MAX_ROWS:
        error = _("Enter a number from 1 to %(most)s.") % {"most": MAX_ROWS}
        raise build_validation_problem({"limit": [error]})
    return int(text)
