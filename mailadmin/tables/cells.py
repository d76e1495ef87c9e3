"""Render the rows of a list page as HTML.

In Python, since a page has four hundred cells, and a template for each took most of its time. What
all rows have in common is made once; only cells with a template of their own use one.
"""

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template import Context, Template
from django.template.base import render_value_in_context
from django.template.loader import get_template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from mailadmin.formatting import (
    format_datetime,
    icon,
    key_url,
    percent_of,
    unicode_address,
    usage_level,
)

if TYPE_CHECKING:
    from mailadmin.tables.table import Column, Table

TOGGLE_HTML = (
    '<form method="post" action="{url}" hx-post="{url}" hx-swap="outerHTML">'
    '<input type="hidden" name="csrfmiddlewaretoken" value="{token}">'
    '<input type="hidden" name="field" value="{name}">'
    '<input type="hidden" name="value" value="{other}">'
    '<input type="hidden" name="back" value="{back}">'
    '<button id="switch-{name}-{key}" class="switch{on}" role="switch" aria-checked="{checked}"'
    ' aria-label="{row}: {label}"><i></i></button></form>'
)
SELECT_CELL_HTML = (
    '<td class="select-cell"><input form="bulk" type="checkbox" class="form-check-input"'
    ' name="keys" value="{key}" aria-label="{label}"></td>'
)
METER_HTML = '<progress class="bar {}" max="100" value="{}" aria-label="{}">{}%</progress>'
ROW_ACTION_HTML = (
    '<a class="btn btn-sm {look}" href="{url}" title="{title}" aria-label="{label}">{icon}</a>'
)
ROW_ACTIONS = (
    ("edit", "btn-outline-secondary", gettext_noop("Edit"), gettext_noop("Edit %(row)s"), "pencil"),
    (
        "delete",
        "btn-outline-danger",
        gettext_noop("Delete"),
        gettext_noop("Delete %(row)s"),
        "trash3",
    ),
)

CellRenderer = Callable[["RowRenderer", Any, str, Any], str]


class RowRenderer:
    """Render rows of one table for the user of a request."""

    def __init__(
        self, request: HttpRequest, table: "Table", context: Context | None = None
    ) -> None:
        self.table, self.context = table, Context() if context is None else context
        self.allowed_screens = table.allowed_screens(request.user)
        self.csrf_token = get_token(request)
        self.return_query = "?" + request.GET.urlencode()
        self.select_label = _("Select %(row)s")
        self.boolean_badges = {
            True: format_html('<span class="badge text-bg-success">{}</span>', _("yes")),
            False: format_html('<span class="badge text-bg-secondary">{}</span>', _("no")),
        }
        self.toggles = table.toggles if self.allowed_screens.get("toggle") else {}
        self.actions = [
            (screen, look, _(title), _(label), icon(picture))
            for screen, look, title, label, picture in ROW_ACTIONS
            if self.allowed_screens.get(screen)
        ]

    @functools.cached_property
    def columns(self) -> list[tuple[str, str, str, CellRenderer]]:
        """Return (name, opening of a cell, opening of an empty cell, renderer) of each column."""
        columns = []
        for number, column in enumerate(self.table.list_columns):
            label = escape(column.label)
            full = f'<td class="main" data-label="{label}">' if not number else None
            blank = full or f'<td class="blank" data-label="{label}">'
            render = get_cell_renderer(column)
            columns.append((column.name, full or f'<td data-label="{label}">', blank, render))
        return columns

    def render_rows(self, rows: list[Any]) -> SafeString:
        """Return these rows as HTML."""
        return mark_safe("".join(map(self.render_row, rows)))  # noqa: S308 (each cell is escaped)

    def render_row(self, row: Any) -> str:
        parts = ["<tr>"]
        if self.allowed_screens.get("bulk"):
            label = self.select_label % {"row": row}
            parts.append(format_html(SELECT_CELL_HTML, key=row.pk, label=label))
        for name, full, blank, render in self.columns:
            value = stored_value(row, name)
            parts += (blank if value == "" else full, render(self, row, name, value), "</td>")
        if self.actions:
            parts += ('<td class="rowactions">', *self.iter_action_links(row), "</td>")
        parts.append("</tr>\n")
        return "".join(parts)

    def iter_action_links(self, row: Any) -> Iterator[str]:
        """Yield the links to the screens of a row."""
        for screen, look, title, label, picture in self.actions:
            yield format_html(
                ROW_ACTION_HTML,
                look=look,
                url=self.table.url(screen, row.pk),
                title=title,
                label=label % {"row": row},
                icon=picture,
            )

    def render_toggle(self, row: Any, name: str, value: Any) -> SafeString:
        """Return the switch of one column of a row."""
        return format_html(
            TOGGLE_HTML,
            url=self.table.url("toggle", row.pk),
            token=self.csrf_token,
            name=name,
            other="0" if value else "1",
            back=self.return_query,
            key=row.pk,
            on=" on" if value else "",
            checked="true" if value else "false",
            row=row,
            label=self.table.toggles.get(name, name),
        )


def stored_value(row: Any, name: str) -> Any:
    """Return the value of a column; of a foreign key the key itself, which costs no query."""
    return getattr(row, f"{name}_id") if hasattr(row, f"{name}_id") else getattr(row, name, None)


def get_cell_renderer(column: "Column") -> CellRenderer:
    """Return the function that renders the cells of a column."""
    if callable(column.cell):
        return column.cell
    return CELL_RENDERERS.get(column.cell) or functools.partial(render_template_cell, column)


def render_meter(part: float, whole: float, label: str) -> SafeString:
    """Return a bar that shows how much of the whole is used."""
    percent = percent_of(part, whole)
    return format_html(METER_HTML, usage_level(percent), percent, label, percent)


def render_template_cell(
    column: "Column", renderer: RowRenderer, row: Any, name: str, value: Any
) -> str:
    """Return a cell by the template that the column names."""
    template = get_engine_template(str(column.cell))
    with renderer.context.push(row=row, value=value, name=name, label=column.label):
        return template.render(renderer.context)


def get_engine_template(name: str) -> Template:
    """Return the template of Django's own engine, which renders in a context that exists."""
    template: Any = get_template(name)
    return template.template


def render_boolean_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if name in renderer.toggles:
        return renderer.render_toggle(row, name, value)
    return renderer.boolean_badges[bool(value)]


def render_text_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_html('<span class="textcell">{}</span>', value) if value else ""


def render_number_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return render_value_in_context(value, renderer.context)


def render_datetime_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_html('<small class="moment">{}</small>', format_datetime(value))


def render_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if renderer.allowed_screens.get("edit"):
        return format_html('<a href="{}">{}</a>', renderer.table.url("edit", row.pk), row)
    return format_html("<span>{}</span>", row)


def render_domain_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if not value or "." not in value:
        return escape(value or "")
    link = '<a class="textcell" href="{}">{}</a>'
    return format_html(link, key_url("domain", value), unicode_address(value))


def render_domain_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_html('<a href="{}">{}</a>', key_url("domain", row.pk), row)


CELL_RENDERERS: dict[str, CellRenderer] = {
    "boolean": render_boolean_cell,
    "text": render_text_cell,
    "number": render_number_cell,
    "datetime": render_datetime_cell,
    "key": render_key_cell,
    "domain": render_domain_cell,
    "domain_key": render_domain_key_cell,
}
