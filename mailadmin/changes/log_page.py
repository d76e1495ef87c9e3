"""The log page: PostfixAdmin's lines, each with the change records that belong to it."""

import datetime
from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mailadmin import registry
from mailadmin.accounts.models import Role
from mailadmin.changes.actors import add_actors, get_actor_name
from mailadmin.changes.formatting import hide_values, render_change_values, summarize_change
from mailadmin.changes.models import Change, Log
from mailadmin.db.pagination import Part, Partition, rows_of_value
from mailadmin.formatting import cached_in_language, format_datetime, unicode_address
from mailadmin.html_formats import HTMLFormat
from mailadmin.names import fold, try_normalize_domain
from mailadmin.tables.actions import Text
from mailadmin.tables.cells import RowRenderer
from mailadmin.tables.columns import Column
from mailadmin.tables.filters import search_rows
from mailadmin.tables.parts import MAX_DOMAIN_QUERIES
from mailadmin.tables.table import Table

TOKEN_ACTION_LABELS = {
    "create_token": _("token created"),
    "delete_token": _("token revoked"),
}

CHANGED_HTML = HTMLFormat('<details class="changed"><summary>{}{}</summary>{}</details>')
SUMMARY_HTML = HTMLFormat(" <small>{}</small>")


def render_time_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_datetime(value, renderer.language)


def render_action_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return escape(format_action(value, language=renderer.language))


def render_subject_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    """Return the name that the line is about, to be opened if there are changes."""
    if not row.changes:
        return escape(unicode_address(row.data))
    summary = SUMMARY_HTML(row.summary) if row.summary else ""
    changes = SafeString("".join(map(render_change_values, row.changes)))
    return CHANGED_HTML(unicode_address(row.data), summary, changes)


def render_actor_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return escape(row.actor)


class LogTable(Table):
    model = Log
    computed_values = {"username": attrgetter("actor")}
    slug = "log"
    icon = "clock-history"
    menu_group = "system"
    menu_position = 70
    is_searched = False
    columns = [
        Column("timestamp", _("Time"), render_time_cell, is_short=True),
        Column("action", _("Action"), render_action_cell),
        Column("data", _("Object"), render_subject_cell, is_wide=True),
        Column("domain", _("Domain"), "domain"),
        Column("username", _("By"), render_actor_cell),
    ]
    card_columns = ("action", "data")
    search_fields = ["data", "username"]
    roles = {"list": Role.ADMINS, "export": Role.ADMINS}
    actions = ()
    toggles = {}
    newest_first = True
    is_split_by_domain = True
    empty_text = _("No changes yet. Every change is listed here.")
    filter_names = ("domain", "admin", "action", "from", "until", "q")

    def filter_choices(self, principal: Any) -> dict[str, dict[str, Text]]:
        """Offer the actions whose lines this principal can see."""
        hidden = set() if principal.role is Role.SUPERADMIN else registry.superadmin_actions
        shown = [name for name in registry.action_labels if name not in hidden]
        return {"action": {name: format_action(name) for name in shown}}

    def ordering(self, filters: Mapping[str, str], principal: Any) -> tuple[str, ...]:
        """Return the columns of the log's indexes; a search of all lines reads them by key."""
        if set(filters) == {"q"} and principal.role is Role.SUPERADMIN:
            return ("pk",)
        return ("timestamp", "pk")

    def select(self, principal: Any, filters: Mapping[str, str]) -> QuerySet:
        """Return the lines of a list; domain admins cannot find out client addresses by it."""
        if principal.role is Role.SUPERADMIN:
            return super().select(principal, filters)
        others = {name: value for name, value in filters.items() if name != "q"}
        others |= {"admin": get_admin_filter(filters, principal)}
        rows = super().select(principal, others)
        return search_rows(rows, ["data"], filters.get("q", ""), prefix_names=["username"])

    def filter(self, rows: QuerySet, filters: Mapping[str, str]) -> QuerySet:
        rows = super().filter(rows, filters)
        if action := filters.get("action"):
            rows = rows.filter(action=action)
        if admin := filters.get("admin"):
            rows = rows.filter(username__istartswith=admin) if admin.isascii() else rows.none()
        if start := parse_day_start(filters.get("from")):
            rows = rows.filter(timestamp__gte=start)
        if end := parse_day_start(filters.get("until")):
            rows = rows.filter(timestamp__lt=end + datetime.timedelta(days=1))
        return rows

    def split(self, rows: QuerySet, filters: Mapping[str, str], principal: Any) -> list[Part]:
        """Have the lines read username by username, if the filter matches few of them."""
        admin = get_admin_filter(filters, principal)
        names = find_usernames(admin) if admin and admin.isascii() else []
        if not names and "domain" in filters and "q" not in filters:
            return [rows_of_value(rows, "domain", try_normalize_domain(filters["domain"]))]
        if not names:
            return super().split(rows, filters, principal)
        if len(names) == 1:
            return [rows.filter(username=names[0])]
        return [Partition(rows, "username", names)]

    def prefetch_values(self, rows: Iterable[Any], principal: Any) -> list[Any]:
        return add_actors(rows, principal)

    def prefetch_cells(self, rows: list[Any], principal: Any) -> list[Any]:
        """Add to each line its actor and its changes, found by time, actor, key and table."""
        add_actors(rows, principal)
        time_key_pairs = {(row.timestamp, row.data) for row in rows if row.timestamp}
        changes: dict[tuple[Any, ...], list[Change]] = {}
        for change in find_log_line_changes(time_key_pairs):
            hide_values(change, principal)
            changes.setdefault((change.at, change.actor, change.key), []).append(change)
        for row in rows:
            key = row.timestamp, row.username, row.data
            row.changes = [
                change for change in changes.get(key, []) if belongs_to_log_line(row, change)
            ]
            row.summary = next(filter(None, map(summarize_change, row.changes)), "")
        return rows


@cached_in_language
def format_action(name: str) -> str:
    """Return what a line of this action says; an unknown action keeps its name."""
    return str(registry.action_labels.get(name, name))


def tables_for_action(action: str) -> set[str]:
    """Return the tables whose changes a line of this action is about.

    In the same second, the same name may be changed in a table that the reader may not see.
    """
    _verb, _underscore, noun = action.partition("_")
    noun = noun.removesuffix("_state").removesuffix("_entry").removesuffix("_signing")
    return registry.action_tables.get(noun, {noun.replace("_", "")})


def belongs_to_log_line(line: Log, change: Change) -> bool:
    """Return whether a change belongs to a line; only superadmins read lines without a domain."""
    if change.table not in tables_for_action(line.action):
        return False
    return not line.domain_id or fold(change.domain) == fold(line.domain_id)


def find_log_line_changes(
    time_key_pairs: Collection[tuple[datetime.datetime, str]],
) -> Iterable[Change]:
    """Return the changes of these times and keys, pair by pair: so an index finds each.

    In SQL, as a queryset of fifty pairs takes Django longer to build than the database to run.
    """
    if not time_key_pairs:
        return []
    at, quote = Change._meta.get_field("at"), connection.ops.quote_name
    pair = f"({quote('at')} = %s AND {quote('key')} = %s)"
    pairs = " OR ".join([pair] * len(time_key_pairs))
    values = [
        value
        for time, key in time_key_pairs
        for value in (at.get_db_prep_value(time, connection), key)
    ]
    table = quote(Change._meta.db_table)
    return Change.objects.raw(f"SELECT * FROM {table} WHERE {pairs} ORDER BY id", values)  # noqa: S608


def get_admin_filter(filters: Mapping[str, str], principal: Any) -> str:
    """Return the start of a username to find; domain admins cannot find addresses by it."""
    admin = filters.get("admin", "")
    return admin if principal.role is Role.SUPERADMIN else get_actor_name(admin)


def find_usernames(prefix: str) -> list[str]:
    """Return the usernames in the log that start so, addresses included; none if too many."""
    lines = Log.objects.filter(username__istartswith=prefix).order_by("username")
    names = list(lines.values_list("username", flat=True).distinct()[: MAX_DOMAIN_QUERIES + 1])
    return names if len(names) <= MAX_DOMAIN_QUERIES else []


def parse_day_start(text: str | None) -> datetime.datetime | None:
    """Return the first moment of a typed day; None for what is not a date."""
    try:
        date = parse_date(text or "")
    except (ValueError, ValidationError):
        return None
    if date is None or not 1970 < date.year < 3000:
        return None
    return timezone.make_aware(datetime.datetime.combine(date, datetime.time()))
