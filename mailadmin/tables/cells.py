"""Render the rows of a list page as HTML.

In Python, since a page has four hundred cells, and a template for each took most of its time. What
all rows have in common is made once; only cells with a template of their own use one.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.template import Context, Template
from django.template.loader import get_template
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext

from mailadmin.formatting import (
    format_day,
    format_number,
    format_percent,
    format_size,
    percent_of,
    render_moment,
    unicode_address,
    url_builder,
    usage_level,
)
from mailadmin.html_formats import HTMLFormat

if TYPE_CHECKING:
    from mailadmin.tables.columns import Column
    from mailadmin.tables.table import Table

# The labels name the row: "Select bob@example.org".
SELECT_CELL_HTML = (
    '<td class="select-cell"><input form="bulk" type="checkbox" class="form-check-input"'
    ' name="keys" value="{}" aria-label="LABEL"></td>'
)
# A link to the row's page, where all its actions are; with JavaScript it opens a menu of them.
ROW_MENU_HTML = '<td class="rowmenu"><a href="{}"{} aria-label="LABEL">⋯</a></td>'
DISABLED_TOGGLES_HTML = HTMLFormat(' data-off="{}"')
METER_HTML = HTMLFormat(
    '<progress class="bar {}" max="100" value="{}" aria-label="{}">{}</progress>'
)
USAGE_HTML = HTMLFormat('<span class="usage">{}{} <small>/ {}</small></span>')
BADGE_HTML = HTMLFormat(' <span class="badge">{}</span>')
DOT_HTML = HTMLFormat('<i class="dot{}" role="img" aria-label="{}"></i>')
LINK_HTML = HTMLFormat('<a href="{}">{}</a>')

CellRenderer = Callable[["RowRenderer", Any, str, Any], str]


class RowRenderer:
    """Render rows of one table for the user of a request.

    What depends on the language is looked up once here, not once a cell.
    """

    def __init__(
        self,
        request: HttpRequest,
        table: "Table",
        context: Context | None = None,
        columns: "Sequence[Column] | None" = None,
    ) -> None:
        self.table, self.context = table, Context() if context is None else context
        self.shown_columns = table.list_columns if columns is None else columns
        self.allowed_screens = table.allowed_screens(request.user)
        self.language, self.today = get_language(), timezone.localdate()
        self.gettext = functools.cache(gettext)
        self.url_builder = functools.cache(url_builder)
        self.row_url = table.row_url_builder()
        self.select_cell = format_with_label(SELECT_CELL_HTML, gettext("Select %(row)s"))
        self.menu_cell = format_with_label(ROW_MENU_HTML, gettext("Actions for %(row)s"))
        self.boolean_texts = {True: gettext("yes"), False: gettext("no")}
        self.dots = {
            True: DOT_HTML(" on", gettext("active")),
            False: DOT_HTML("", gettext("inactive")),
        }
        self.has_menu = bool(
            {"edit", "delete"} & {s for s, may in self.allowed_screens.items() if may}
        )

    @functools.cached_property
    def columns(self) -> list[tuple[str, str, CellRenderer]]:
        """Return (name, opening tag of a cell, renderer) of each column but the first."""
        return [
            (column.name, self.open_cell(column), get_cell_renderer(column))
            for column in self.shown_columns[1:]
        ]

    def open_cell(self, column: "Column") -> str:
        """Return the opening tag of a cell, with the classes that fit it into narrow screens."""
        classes = ["cut"] if column.is_cut_off else []
        classes += ["wide"] if column.is_wide else []
        classes += [] if column.name in self.table.card_columns else ["minor"]
        names = f' class="{" ".join(classes)}"' if classes else ""
        label = f' data-label="{escape(column.label)}"' if column.is_labelled else ""
        return f"<td{names}{label}>"

    @functools.cached_property
    def main_opening(self) -> str:
        return f'<td class="main{"" if self.shown_columns[0].is_cut_off else " short"}">'

    @functools.cached_property
    def main_column(self) -> tuple[str, CellRenderer]:
        column = self.shown_columns[0]
        return column.name, get_cell_renderer(column)

    def render_rows(self, rows: list[Any]) -> SafeString:
        """Return these rows as HTML."""
        return mark_safe("".join(map(self.render_row, rows)))  # noqa: S308 (each cell is escaped)

    def render_row(self, row: Any) -> str:
        is_selectable = self.allowed_screens.get("bulk")
        parts = ["<tr>" if is_selectable else '<tr class="no-select">']
        if is_selectable:
            parts.append(self.select_cell(row.pk, str(row)))
        name, render = self.main_column
        parts += (self.main_opening, self.render_state(row))
        parts += (render(self, row, name, stored_value(row, name)), "</td>")
        for name, opening, render in self.columns:
            parts += (opening, render(self, row, name, stored_value(row, name)), "</td>")
        if self.has_menu:
            parts.append(self.render_menu_link(row))
        parts.append("</tr>\n")
        return "".join(parts)

    def render_state(self, row: Any) -> str:
        """Return the dot that says whether a row is active."""
        return self.dots[bool(row.active)] if self.table.has_state else ""

    def render_menu_link(self, row: Any) -> str:
        """Return the link to the row's actions, with the switches of the row that are off."""
        off = " ".join([name for name in self.table.toggles if not getattr(row, name)])
        toggles = DISABLED_TOGGLES_HTML(off) if off else ""
        return self.menu_cell(self.row_url(row.pk), toggles, str(row))


def format_with_label(text: str, label: str) -> HTMLFormat:
    """Return the format of a cell whose label names the row, which is its last value."""
    return HTMLFormat(text.replace("LABEL", escape(label).replace("%(row)s", "{}")))


def stored_value(row: Any, name: str) -> Any:
    """Return the value of a column; of a foreign key the key itself, which costs no query."""
    return getattr(row, f"{name}_id") if hasattr(row, f"{name}_id") else getattr(row, name, None)


def get_cell_renderer(column: "Column") -> CellRenderer:
    """Return the function that renders the cells of a column."""
    if callable(column.cell):
        return column.cell
    return CELL_RENDERERS.get(column.cell) or functools.partial(render_template_cell, column)


def render_meter(part: float, whole: float, label: str, language: str | None = None) -> SafeString:
    """Return a bar that shows how much of the whole is used."""
    percent = percent_of(part, whole)
    shown = format_percent(percent, language=language)
    return METER_HTML(usage_level(percent), percent, label, shown)


def render_usage(renderer: RowRenderer, used: float, size: float, label: str) -> SafeString:
    """Return a bar, and what is used of a size."""
    language = renderer.language
    bar = render_meter(used, size, label, language)
    return USAGE_HTML(bar, format_size(used, language), format_size(size, language))


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
    return renderer.boolean_texts[bool(value)]


def render_text_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return escape(value) if value else ""


def render_number_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_number(value, language=renderer.language) if value is not None else ""


def render_datetime_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return render_moment(value, renderer.today, renderer.language)


def render_date_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    return format_day(value, language=renderer.language) if value is not None else ""


def render_key_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    url = renderer.row_url(row.pk)
    return LINK_HTML(url, str(row)) if url else escape(row)


def render_domain_cell(renderer: RowRenderer, row: Any, name: str, value: Any) -> str:
    if not value or "." not in value:
        return escape(value or "")
    return LINK_HTML(renderer.url_builder("domain")(value), unicode_address(value))


CELL_RENDERERS: dict[str, CellRenderer] = {
    "boolean": render_boolean_cell,
    "text": render_text_cell,
    "number": render_number_cell,
    "date": render_date_cell,
    "datetime": render_datetime_cell,
    "key": render_key_cell,
    "domain": render_domain_cell,
}
