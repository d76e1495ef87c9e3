"""Render the fields of a form page as HTML: label, widget, errors and help.

In Python like the cells of lists: by templates, the fields took most of the time of a form.
"""

from collections.abc import Sequence

from django.forms import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from mailadmin.html_formats import HTMLFormat

WIDGET_CLASSES = {
    "select": "form-select",
    "checkbox": "form-check-input",
    "checkboxselectmultiple": "choices",
    "radioselect": "choices",
}
FIELD_HTML = HTMLFormat('<div class="mb-3{}">{}{}{}</div>\n')
LABEL_HTML = HTMLFormat('<label class="form-label" for="{}">{}{}</label>')
FIELDSET_HTML = HTMLFormat('<fieldset><legend class="form-label">{}</legend>{}</fieldset>')
CHECKBOX_HTML = HTMLFormat(
    '<div class="form-check mb-3">{} <label class="form-check-label" for="{}">{}</label>{}</div>\n'
)
UNIT_HTML = HTMLFormat(
    '<div class="input-group short">{}<span class="input-group-text">{}</span></div>'
)
ADDRESS_HTML = HTMLFormat(
    '<div class="input-group address">{}<span class="input-group-text" aria-hidden="true">@</span>'
    '<label class="visually-hidden" for="{}">{}</label>{}</div>'
)
ERRORS_HTML = HTMLFormat('<div class="invalid-feedback d-block" id="{}_error">{}</div>')
ERROR_HTML = HTMLFormat("<div>{}</div>")
HELP_HTML = HTMLFormat('<div class="form-text" id="{}_helptext">{}</div>')
REQUIRED_MARK = SafeString('<span class="asteriskField" aria-hidden="true">*</span>')


def render_field(field: BoundField | Sequence[BoundField]) -> SafeString:
    """Return one field as HTML, or local part and domain as one control."""
    if not isinstance(field, BoundField):
        return render_address(*field)
    kind = field.widget_type
    widget, texts = render_widget(field, kind), render_texts(field)
    if kind == "checkbox":
        return CHECKBOX_HTML(widget, field.id_for_label, field.label, texts)
    if unit := field.field.widget.attrs.get("data-unit"):
        widget = UNIT_HTML(widget, unit)
    classes = " no-js" if field.name == "password2" else ""
    if field.use_fieldset:
        return FIELD_HTML(classes, "", FIELDSET_HTML(field.label, widget), texts)
    mark = REQUIRED_MARK if field.field.required else ""
    label = LABEL_HTML(field.id_for_label, field.label, mark)
    return FIELD_HTML(classes, label, widget, texts)


def render_address(local_part: BoundField, domain: BoundField) -> SafeString:
    """Return the fields of local part and domain as one control."""
    is_required = local_part.field.required or domain.field.required
    mark = REQUIRED_MARK if is_required else ""
    label = LABEL_HTML(local_part.id_for_label, gettext("Address"), mark)
    first, second = (render_widget(each, each.widget_type) for each in (local_part, domain))
    control = ADDRESS_HTML(first, domain.id_for_label, domain.label, second)
    texts = SafeString(render_texts(local_part) + render_texts(domain))
    return FIELD_HTML("", label, control, texts)


def render_widget(field: BoundField, kind: str) -> SafeString:
    """Return the widget of a field with Bootstrap's classes, marked where the field has errors."""
    own = field.field.widget.attrs.get("class", "")
    marked = "is-invalid" if field.errors else ""
    names = " ".join(filter(None, (WIDGET_CLASSES.get(kind, "form-control"), own, marked)))
    return field.as_widget(attrs={"class": names})


def render_texts(field: BoundField) -> SafeString:
    """Return the errors and the help of a field."""
    errors, help_text = field.errors, field.help_text
    shown = SafeString("".join(map(ERROR_HTML, errors))) if errors else ""
    return SafeString(
        (ERRORS_HTML(field.auto_id, shown) if shown else "")
        + (HELP_HTML(field.auto_id, help_text) if help_text else "")
    )
