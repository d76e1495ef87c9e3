"""Template tags and filters: wrappers of `mailadmin.formatting` and of tables."""

import functools
from collections.abc import Mapping
from typing import Any

from django import template
from django.conf import settings
from django.template import Context
from django.template.base import NodeList, Parser, Token
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import get_script_prefix
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from mailadmin import formatting, passwords, registry
from mailadmin.changes import formatting as change_formatting
from mailadmin.form_renderer import OPTION_HTML
from mailadmin.formatting import key_url, page_url
from mailadmin.icons import icon
from mailadmin.tables.cells import RowRenderer, render_meter
from mailadmin.tables.columns import Column
from mailadmin.tables.field_html import render_field
from mailadmin.tables.form_sections import build_sections
from mailadmin.tables.table import Table

register = template.Library()
SELECTED_ATTRIBUTE = SafeString(" selected")
# A number of each category that the languages of the panel have, as browsers name them.
PLURAL_EXAMPLES = {"one": 1, "few": 2, "many": 5, "other": 2}

register.simple_tag(icon)
register.simple_tag(render_field)
register.simple_tag(page_url)
register.simple_tag(key_url)
register.simple_tag(functools.cache(static), name="static_url")
register.filter(formatting.unicode_address)
register.filter(formatting.breakable_address)
register.filter(formatting.format_datetime)
register.filter(formatting.format_size)
register.filter(formatting.format_megabytes)
register.filter(formatting.format_percent)
register.filter(formatting.format_limit)
register.filter(formatting.format_quota_limit)
register.filter(change_formatting.render_change_values)
register.filter(change_formatting.change_verb)
register.filter(change_formatting.table_label)
register.filter(passwords.find_unsupported_scheme)
register.filter("form_sections", build_sections)


@register.simple_tag
def panel_languages() -> list[tuple[str, str]]:
    """Return the languages by their own names, in any language."""
    return list(settings.LANGUAGES)


class OncePerLanguageNode(template.Node):
    """Content that is rendered once for each language, without anything of a request."""

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self.rendered: dict[tuple[str, str], SafeString] = {}

    def render(self, context: Context) -> SafeString:
        key = get_language(), get_script_prefix()
        if key not in self.rendered:
            self.rendered[key] = self.nodelist.render(context.new())
        return self.rendered[key]


@register.tag
def once_per_language(parser: Parser, token: Token) -> OncePerLanguageNode:
    """Cache content that depends on the language alone: texts, icons and addresses of pages."""
    nodelist = parser.parse(("end_once_per_language",))
    parser.delete_first_token()
    return OncePerLanguageNode(nodelist)


@register.simple_tag
def table_url(table: Table, screen: str, key: Any = None) -> str:
    return table.url(screen, key)


@register.simple_tag
def row_url(table: Table, key: Any) -> str:
    return table.row_url(key)


@register.simple_tag
def filter_tabs(name: str) -> str:
    """Return the template of the tabs of a page that this filter belongs to; empty if none."""
    return registry.filter_tabs.get(name, "")


@register.simple_tag(takes_context=True)
def render_table_rows(context: Context, rows: list[Any], columns: list[Column]) -> str:
    """Return the rows of a list page as HTML."""
    return RowRenderer(context["request"], context["table"], context, columns).render_rows(rows)


@register.simple_tag
def select_options(choices: Mapping[str, str], selected: str) -> SafeString:
    """Return the options of a select: value → text."""
    options = [
        OPTION_HTML(value, SELECTED_ATTRIBUTE if value == selected else "", text)
        for value, text in choices.items()
    ]
    return SafeString("".join(options))


@register.simple_block_tag(takes_context=True)
def change_controls(context: Context, content: SafeString, has_notice: bool = False) -> SafeString:
    """Return controls that change something, disabled for who sees the panel as somebody else.

    The reason is their title; with `has_notice` it is shown above them too.
    """
    if not context["request"].view_as:
        return content
    return render_to_string(
        "tables/disabled_controls.html", {"content": content, "has_notice": has_notice}
    )


@register.simple_tag
def selection_texts(table: Table) -> SafeString:
    """Return "2 mailboxes selected" by plural category, for the script that puts in the number."""
    texts = ((name, table.format_count(number)) for name, number in PLURAL_EXAMPLES.items())
    return format_html_join(
        " ",
        'data-{}="{}"',
        ((name, _("%(rows)s selected") % {"rows": rows}) for name, rows in texts),
    )


@register.simple_tag
def meter(part: float, whole: float, label: str) -> str:
    """Return a bar that shows how much of a limit is used; nothing where there is no limit."""
    return render_meter(part, whole, label) if whole > 0 else ""


@register.filter
def row_summary(row: Any) -> str:
    """Return the description or name of a row, to show beside its key."""
    return getattr(row, "description", "") or getattr(row, "name", "")


@register.filter
def model_name(row: Any) -> str:
    return row._meta.model_name


@register.filter
def code_spans(text: str) -> SafeString:
    """Return a text with what stands between backticks as code."""
    parts = enumerate(text.split("`"))
    texts = (format_html("<code>{}</code>", part) if n % 2 else escape(part) for n, part in parts)
    return mark_safe("".join(texts))  # noqa: S308 (each part is escaped)


@register.filter
def lookup(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key, key)
