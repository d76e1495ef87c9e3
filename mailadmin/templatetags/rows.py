"""The rows of a list, drawn by Python: a page of them has four hundred cells.

With a template for each cell a page took 45 ms, most of it for the same words and addresses again.
What all rows have in common is made once, and only cells that a table draws itself are templates.
"""

import functools

from django import template
from django.middleware.csrf import get_token
from django.template.base import render_value_in_context
from django.template.loader import get_template
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from mailadmin.templatetags.mailadmin import (
    cell_value,
    icon,
    key_url,
    level,
    moment,
    percent_of,
    readable,
)

register = template.Library()

TOGGLE = (
    '<form method="post" action="{url}" hx-post="{url}" hx-swap="outerHTML">'
    '<input type="hidden" name="csrfmiddlewaretoken" value="{token}">'
    '<input type="hidden" name="field" value="{name}">'
    '<input type="hidden" name="value" value="{other}">'
    '<input type="hidden" name="back" value="{back}">'
    '<button id="switch-{name}-{key}" class="switch{on}" role="switch" aria-checked="{checked}"'
    ' aria-label="{row}: {label}"><i></i></button></form>'
)
TICK = (
    '<td class="tick"><input form="bulk" type="checkbox" class="form-check-input" name="keys"'
    ' value="{key}" aria-label="{label}"></td>'
)
BAR = '<progress class="bar {}" max="100" value="{}" aria-label="{}">{}%</progress>'
ACTION = '<a class="btn btn-sm {look}" href="{url}" title="{title}" aria-label="{label}">{icon}</a>'


@register.simple_tag(takes_context=True)
def draw_rows(context, rows):
    """The rows of the page."""
    page = Page(context["request"], context["crud"], context)
    return mark_safe("".join(page.row(row) for row in rows))  # noqa: S308 (each cell is escaped)


def draw_toggle(request, crud, row, name):
    """One switch, as it looks after it was used."""
    return Page(request, crud).toggle(row, name, getattr(row, name))


class Page:
    """What the rows of one page have in common."""

    def __init__(self, request, crud, context=None):
        self.crud, self.context, self.may = crud, context, crud.may_screen()
        self.token = get_token(request)
        self.back = "?" + request.GET.urlencode()
        self.tick = _("Tick %(row)s")
        self.marks = {
            True: format_html('<span class="badge text-bg-success">{}</span>', _("yes")),
            False: format_html('<span class="badge text-bg-secondary">{}</span>', _("no")),
        }
        self.toggles = self.crud.toggles if self.may.get("toggle") else {}
        self.actions = [
            (screen, look, _(title), _(label), icon(picture))
            for screen, look, title, label, picture in ACTIONS
            if self.may.get(screen)
        ]

    @functools.cached_property
    def columns(self):
        """Each column with what begins its cells, full and empty, and with what draws them."""
        found = []
        for number, column in enumerate(self.crud.list_columns):
            label = escape(column.label)
            full = f'<td class="main" data-label="{label}">' if not number else None
            blank = full or f'<td class="blank" data-label="{label}">'
            draw = drawer(column)
            found.append((column.name, full or f'<td data-label="{label}">', blank, draw))
        return found

    def row(self, row):
        parts = ["<tr>"]
        if self.may.get("bulk"):
            label = self.tick % {"row": row}
            parts.append(format_html(TICK, key=row.pk, label=label))
        for name, full, blank, draw in self.columns:
            value = cell_value(row, name)
            parts += (blank if value == "" else full, draw(self, row, name, value), "</td>")
        if self.actions:
            parts += ('<td class="rowactions">', *self.buttons(row), "</td>")
        parts.append("</tr>\n")
        return "".join(parts)

    def buttons(self, row):
        for screen, look, title, label, picture in self.actions:
            yield format_html(
                ACTION,
                look=look,
                url=self.url(screen, row),
                title=title,
                label=label % {"row": row},
                icon=picture,
            )

    def url(self, screen, row):
        return key_url(f"{self.crud.slug}-{screen}", row.pk)

    def toggle(self, row, name, value):
        return format_html(
            TOGGLE,
            url=self.url("toggle", row),
            token=self.token,
            name=name,
            other="0" if value else "1",
            back=self.back,
            key=row.pk,
            on=" on" if value else "",
            checked="true" if value else "false",
            row=row,
            label=self.crud.toggles.get(name, name),
        )


def drawer(column):
    """What draws the cells of a column: (page, row, name of the column, value) → HTML."""
    if callable(column.cell):
        return column.cell
    return CELLS.get(column.cell) or functools.partial(from_template, column)


def bar(part, whole, label):
    """How much of it is taken."""
    percent = percent_of(part, whole)
    return format_html(BAR, level(percent), percent, label, percent)


def from_template(column, page, row, name, value):
    """A cell that its table draws."""
    with page.context.push(row=row, value=value, name=name, label=column.label):
        return get_template(column.cell).template.render(page.context)


def boolean(page, row, name, value):
    return page.toggle(row, name, value) if name in page.toggles else page.marks[bool(value)]


def text(page, row, name, value):
    return format_html('<span class="textcell">{}</span>', value) if value else ""


def number(page, row, name, value):
    return render_value_in_context(value, page.context)


def when(page, row, name, value):
    return format_html('<small class="moment">{}</small>', moment(value))


def key(page, row, name, value):
    if page.may.get("edit"):
        return format_html('<a href="{}">{}</a>', page.url("edit", row), row)
    return format_html("<span>{}</span>", row)


def domain(page, row, name, value):
    if not value or "." not in value:
        return escape(value or "")
    link = '<a class="textcell" href="{}">{}</a>'
    return format_html(link, key_url("domain", value), readable(value))


def domain_key(page, row, name, value):
    return format_html('<a href="{}">{}</a>', key_url("domain", row.pk), row)


CELLS = {
    "boolean": boolean,
    "text": text,
    "number": number,
    "moment": when,
    "key": key,
    "domain": domain,
    "domain_key": domain_key,
}
ACTIONS = (
    ("edit", "btn-outline-secondary", gettext_noop("Edit"), gettext_noop("Edit %(row)s"), "pencil"),
    (
        "delete",
        "btn-outline-danger",
        gettext_noop("Delete"),
        gettext_noop("Delete %(row)s"),
        "trash3",
    ),
)
