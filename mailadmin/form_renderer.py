"""The widgets of forms as HTML, without a template for each: a form took most of its time there.

The HTML is that of Django's templates. Widgets that are not listed use their template.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.forms.renderers import TemplatesSetting
from django.http import HttpRequest
from django.utils.safestring import SafeString

from mailadmin.html_formats import HTMLFormat, escape_value

WidgetContext = Mapping[str, Any]

ATTRIBUTE_HTML = HTMLFormat(' {}="{}"')
INPUT_HTML = HTMLFormat('<input type="{}" name="{}"{}{}>')
VALUE_HTML = HTMLFormat(' value="{}"')
TEXTAREA_HTML = HTMLFormat('<textarea name="{}"{}>\n{}</textarea>')
SELECT_HTML = HTMLFormat('<select name="{}"{}>{}\n</select>')
OPTION_HTML = HTMLFormat('\n  <option value="{}"{}>{}</option>')
OPTION_GROUP_HTML = HTMLFormat('\n  <optgroup label="{}">{}\n  </optgroup>')


class WidgetRenderer(TemplatesSetting):
    """Render the usual widgets in Python, all else by templates."""

    def render(
        self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None
    ) -> str:
        if render_widget := WIDGET_RENDERERS.get(template_name):
            return render_widget(context["widget"])
        return super().render(template_name, context, request)


def render_attributes(attributes: Mapping[str, Any]) -> SafeString:
    """Return the attributes of an element; those that are False are left out."""
    parts = [
        f" {escape_value(name)}" if value is True else ATTRIBUTE_HTML(name, value)
        for name, value in attributes.items()
        if value is not False
    ]
    return SafeString("".join(parts))


def render_input(widget: WidgetContext) -> SafeString:
    value = "" if widget["value"] is None else VALUE_HTML(widget["value"])
    return INPUT_HTML(widget["type"], widget["name"], value, render_attributes(widget["attrs"]))


def render_textarea(widget: WidgetContext) -> SafeString:
    attributes = render_attributes(widget["attrs"])
    return TEXTAREA_HTML(widget["name"], attributes, widget["value"] or "")


def render_select(widget: WidgetContext) -> SafeString:
    parts = []
    for label, options, _index in widget["optgroups"]:
        shown = SafeString("".join(map(render_option, options)))
        parts.append(OPTION_GROUP_HTML(label, shown) if label else shown)
    attributes = render_attributes(widget["attrs"])
    return SELECT_HTML(widget["name"], attributes, SafeString("".join(parts)))


def render_option(option: WidgetContext) -> SafeString:
    return OPTION_HTML(option["value"], render_attributes(option["attrs"]), option["label"])


INPUT_TYPES = ("checkbox", "date", "email", "file", "hidden", "number", "password", "text", "url")
WIDGET_RENDERERS: dict[str, Callable[[WidgetContext], SafeString]] = {
    **{f"django/forms/widgets/{name}.html": render_input for name in INPUT_TYPES},
    "django/forms/widgets/datetime.html": render_input,
    "django/forms/widgets/textarea.html": render_textarea,
    "django/forms/widgets/select.html": render_select,
}
