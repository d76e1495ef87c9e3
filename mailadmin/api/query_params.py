"""Check the filters and the page size of a list request."""

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

from mailadmin.api.problems import build_validation_problem
from mailadmin.tables.table import Table

DEFAULT_PAGE_SIZE = 100
MAX_ROWS = 1000  # of a page, and of a list that is sent
LIMIT_RE = re.compile("[0-9]{1,5}")
PAGE_PARAMS = ("after", "limit")


def check_filters(params: Mapping[str, str], table: Table) -> None:
    """Refuse unknown filters: a misspelled one would show more rows than were asked for."""
    known = {*table.filter_names, *PAGE_PARAMS}
    errors = {name: [_("Unknown filter.")] for name in params if name not in known}
    for name in table.find_invalid_filters(params):
        errors[name] = [_("This value is not valid for this filter.")]
    if errors:
        raise build_validation_problem(errors)


def parse_limit(params: Mapping[str, str]) -> int:
    """Return how many rows a page should have."""
    text = params.get("limit", str(DEFAULT_PAGE_SIZE))
    if not LIMIT_RE.fullmatch(text) or not 0 < int(text) <= MAX_ROWS:
        error = _("Enter a number from 1 to %(most)s.") % {"most": MAX_ROWS}
        raise build_validation_problem({"limit": [error]})
    return int(text)
