"""Form fields for domains, addresses, lists of targets and rows of other tables."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mailadmin.names import (
    domain_to_unicode,
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
)


class UntruncatedCharField(forms.CharField):
    """A name that a browser must not cut: the rest would be another name."""

    def widget_attrs(self, widget):
        attrs = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs


class DomainFormField(UntruncatedCharField):
    """A domain as people write it."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_domain])
        super().__init__(**options)

    def to_python(self, value: Any):
        value = super().to_python(value)
        return normalize_domain(value) if value else value

    def prepare_value(self, value: Any):
        return domain_to_unicode(value) if isinstance(value, str) else value


class AddressFormField(UntruncatedCharField):
    """An address as people write it."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_address])
        super().__init__(**options)

    def to_python(self, value: Any):
        value = super().to_python(value)
        return normalize_address(value) if value else value


class PickerInput(forms.TextInput):
    """A text field with choices that begin with what is typed; without JavaScript a text field."""

    template_name = "tables/picker.html"

    def __init__(self, url_name) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false"})
        self.url_name = url_name

    def get_context(self, name: str, value: Any, attrs):
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        widget["attrs"]["list"] = f"{widget['attrs'].get('id', name)}-choices"
        return context | {"pick_url": reverse(self.url_name)}


class ChoiceCache:
    """Rows that forms of one request have asked for: a thousand forms ask once."""

    def __init__(self) -> None:
        self.names, self.rows = {}, {}

    def get_names(self, rows, count):
        if count not in self.names:
            self.names[count] = list(rows.order_by("pk").values_list("pk", flat=True)[:count])
        return self.names[count]

    def get_row(self, rows, name: str):
        """The row of this name; one that is not there may be by the next time."""
        if name not in self.rows and (row := rows.filter(pk=name).first()):
            self.rows[name] = row
        return self.rows.get(name)


def get_choice_cache(principal: Any, model: type[models.Model]):
    """What forms for this principal have asked for; programs send many rows in one request."""
    if principal.form_choices is None:
        return ChoiceCache()
    return principal.form_choices.setdefault(model, ChoiceCache())


class RowChoiceField(DomainFormField):
    """One of the rows that the person may see, by name; a list to choose from if few."""

    max_select_choices = 50

    def __init__(self, *, model: type[models.Model], url_name, **options: Any) -> None:
        self.model, self.url_name = model, url_name
        super().__init__(widget=PickerInput(url_name), **options)

    def limit_to_principal(self, principal: Any) -> None:
        """Limit the field to this person's rows."""
        self.rows = self.model._default_manager.visible_to(principal)
        self.choice_cache = get_choice_cache(principal, self.model)
        names = self.choice_cache.get_names(self.rows, self.max_select_choices + 1)
        if len(names) <= self.max_select_choices:
            choices = [(name, domain_to_unicode(name)) for name in names]
            empty = [("", _("Choose …"))] if len(names) != 1 else []
            self.widget = forms.Select(choices=empty + choices)
            self.widget.is_required = self.required

    def clean(self, value: Any):
        name = super().clean(value)
        row = self.choice_cache.get_row(self.rows, name) if name else None
        if name and row is None:
            raise ValidationError(_("You have no domain %(name)s.") % {"name": name})
        return row

    def prepare_value(self, value: Any):
        value = getattr(value, "pk", value)
        return value if isinstance(self.widget, forms.Select) else super().prepare_value(value)


class LineListField(forms.CharField):
    """Addresses, one a line (commas will do)."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "off"})

    def to_python(self, value: Any):
        text = super().to_python(value).replace(",", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any):
        return "\n".join(value) if isinstance(value, (list, tuple)) else value

    def run_validators(self, value: Any) -> None:
        for line in value:
            super().run_validators(line)

    def has_changed(self, initial, data) -> bool:
        return self.to_python(data or "") != (initial or [])
