"""Form fields for domains, addresses, lists of targets and rows of other tables."""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import QuerySet
from django.forms.renderers import BaseRenderer
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mailadmin.accounts.models import visible_rows
from mailadmin.formatting import page_url
from mailadmin.html_formats import HTMLFormat
from mailadmin.names import (
    domain_to_unicode,
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
)


def min_value_validator(minimum: Any) -> MinValueValidator:
    return MinValueValidator(minimum, _("Enter %(limit_value)s or more."))


def max_value_validator(maximum: Any) -> MaxValueValidator:
    return MaxValueValidator(maximum, _("Enter %(limit_value)s or less."))


def reword_validator(validator: Any) -> Any:
    """Return the same bound of a number with a shorter message than Django's."""
    match validator:
        case MinValueValidator():
            return min_value_validator(validator.limit_value)
        case MaxValueValidator():
            return max_value_validator(validator.limit_value)
    return validator


class UntruncatedCharField(forms.CharField):
    """A name that browsers must not truncate: the rest would be another name."""

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        attrs = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs


class SecretTextField(forms.CharField):
    """A secret of several lines, such as a private key; commands read it from a file."""

    def __init__(self, **options: Any) -> None:
        attrs = {"rows": 4, "autocomplete": "off", "spellcheck": "false"}
        super().__init__(widget=forms.Textarea(attrs=attrs), **options)


WEB_ADDRESS_RE = re.compile(r"^https?://([^/]*).*$", re.IGNORECASE)


class DomainFormField(UntruncatedCharField):
    """A domain name as users type it, or paste it from the address of a web site."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_domain])
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize_domain(WEB_ADDRESS_RE.sub(r"\1", value)) if value else value

    def prepare_value(self, value: Any) -> Any:
        return domain_to_unicode(value) if isinstance(value, str) else value


class AddressFormField(UntruncatedCharField):
    """A mail address as users type it."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_address])
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize_address(value) if value else value


CHOICES_HTML = HTMLFormat(
    '<datalist id="{}-choices" hx-get="{}" hx-include="#{}" hx-swap="innerHTML"'
    ' hx-trigger="input changed delay:150ms from:#{}, focus once from:#{}"></datalist>'
)


class PickerInput(forms.TextInput):
    """A text field that suggests values which start with what is typed, if JavaScript runs."""

    def __init__(self, url_name: str) -> None:
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false"})
        self.url_name = url_name

    def render(
        self,
        name: str,
        value: Any,
        attrs: dict[str, Any] | None = None,
        renderer: BaseRenderer | None = None,
    ) -> SafeString:
        key = (attrs or {}).get("id", name)
        field = super().render(name, value, {**(attrs or {}), "list": f"{key}-choices"}, renderer)
        return SafeString(field + CHOICES_HTML(key, page_url(self.url_name), key, key, key))


class ChoiceCache:
    """Rows that the forms of one request have looked up: a thousand forms ask once."""

    def __init__(self, rows: QuerySet) -> None:
        self.rows = rows  # those in scope
        self.names: dict[int, list[str]] = {}
        self.found: dict[str, Any] = {}

    def get_names(self, count: int) -> list[str]:
        """Return the first keys of the rows."""
        if count not in self.names:
            self.names[count] = list(self.rows.order_by("pk").values_list("pk", flat=True)[:count])
        return self.names[count]

    def get_row(self, name: str) -> Any:
        """Return the row of this key; one that is missing is looked up again next time."""
        if name not in self.found and (row := self.rows.filter(pk=name).first()):
            self.found[name] = row
        return self.found.get(name)


def get_choice_cache(principal: Any, model: type[models.Model]) -> ChoiceCache:
    """Return the cache of this principal's request, in which programs may send many rows."""
    shared = {} if principal.form_choices is None else principal.form_choices
    if model not in shared:
        shared[model] = ChoiceCache(visible_rows(model, principal))
    return shared[model]


class RowChoiceMixin(UntruncatedCharField):
    """Have a field of keys choose one of the rows in the user's scope: a list if they are few.

    `url_name` names the view that suggests keys, if there is one.
    """

    max_select_choices = 50
    missing_text = _("“%(name)s” was not found.")

    def __init__(self, *, model: type[models.Model], url_name: str = "", **options: Any) -> None:
        self.model = model
        if url_name:
            options["widget"] = PickerInput(url_name)
        super().__init__(**options)

    def limit_to_principal(self, principal: Any) -> None:
        """Limit the field to the rows in the scope of this principal."""
        self.choice_cache = get_choice_cache(principal, self.model)
        keys = self.choice_cache.get_names(self.max_select_choices + 1)
        if len(keys) <= self.max_select_choices:
            get_label = super().prepare_value
            choices = [(key, get_label(key)) for key in keys]
            empty = [("", _("Choose …"))] if len(keys) != 1 else []
            self.widget = forms.Select(choices=[*empty, *choices])
            self.widget.is_required = self.required

    def clean(self, value: Any) -> Any:
        key = super().clean(value)
        row = self.find_row(key) if key else None
        if key and row is None:
            raise ValidationError(self.missing_text, params={"name": key})
        return row

    def find_row(self, key: str) -> Any:
        """Return the row of this key, if it is in the user's scope."""
        return self.choice_cache.get_row(key)

    def prepare_value(self, value: Any) -> Any:
        value = getattr(value, "pk", value)
        return value if isinstance(self.widget, forms.Select) else super().prepare_value(value)


class LineListField(forms.CharField):
    """Addresses, one on each line; commas separate them as well."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "off"})

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # not a text
        text = (super().to_python(value) or "").replace(",", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, (list, tuple)) else value

    def run_validators(self, value: Iterable[str]) -> None:
        for line in value:
            super().run_validators(line)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(data or "") != (initial or [])
