"""Forms of rows; before they save, they compare the row with what they showed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from mailadmin.changes.perform import (
    Actor,
    AfterPerform,
    EditConflict,
    SeenVersion,
    digest_values,
    perform,
)
from mailadmin.db.column_facts import get_column_field, validate_column
from mailadmin.db.custom_columns import get_custom_fields
from mailadmin.db.models import has_generated_key
from mailadmin.formatting import unicode_address
from mailadmin.names import validate_single_line, validate_text
from mailadmin.tables.custom_fields import (
    find_closed_columns,
    prepare_custom_columns,
    release_required_columns,
)
from mailadmin.tables.form_data import drop_unchanged, merged_data
from mailadmin.tables.form_fields import RowChoiceMixin, reword_validator
from mailadmin.tables.form_sections import Section, iter_shown_fields

if TYPE_CHECKING:
    from mailadmin.tables.actions import Service, Services, Text

PASSWORD_HASH_FIELD = "password_hash"  # noqa: S105 (the name of a field)
OWN_PASSWORD_FIELD = "own_password"  # noqa: S105 (the name of a field)
FORM_FIELDS = ("seen", OWN_PASSWORD_FIELD)  # that are no values of the row


class ValidatedTextForm(forms.Form):
    """A form that refuses control characters in its texts."""

    actor: Actor
    sections: Sequence[Section] = ()
    address_fields: Sequence[str] = ()  # local part and domain, shown as one control
    notice: Any = None
    notice_template = ""  # shows `notice` above the fields
    guarded_fields: Sequence[str] = ()  # to change one of them is a dangerous step
    remedy_template = ""  # says below the errors of the form what can be done about them

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.get_unused_fields():
            del self.fields[name]
        for field in self.fields.values():
            field.validators = [reword_validator(each) for each in field.validators]
            if isinstance(field, forms.CharField):
                has_lines = isinstance(field.widget, forms.Textarea)
                field.validators = [
                    *field.validators,
                    validate_text if has_lines else validate_single_line,
                ]
            if isinstance(field, RowChoiceMixin):
                field.limit_to_principal(self.actor.principal)

    def get_unused_fields(self) -> Sequence[str]:
        """Return the fields of the class that this form does not have."""
        return ()

    def get_sections(self) -> Sequence[Section]:
        """Return the sections of the page; fields that none of them names are in the first."""
        return self.sections

    def clean(self) -> dict[str, Any]:
        super().clean()
        return self.cleaned_data

    def focus_first_empty_field(self) -> None:
        """Have the browser put the cursor into the first field that is to be filled in."""
        for field in iter_shown_fields(self):
            if field.widget_type != "checkbox" and field.value() in (None, "", []):
                field.field.widget.attrs["autofocus"] = True
                return

    def changes_guarded_field(self) -> bool:
        """Return whether somebody has to prove who they are before this is saved."""
        return not set(self.changed_data).isdisjoint(self.guarded_fields)

    @property
    def marks_required_fields(self) -> bool:
        """Return whether any field has a mark, which the form then explains."""
        fields = [field for field in self.visible_fields() if not field.use_fieldset]
        return any(f.field.required for f in fields if f.widget_type != "checkbox")

    @property
    def visible_field_errors(self) -> list[tuple["Text", forms.BoundField]]:
        """Return (label, field) of the fields with errors, for the summary above the form."""
        local_part = self.address_fields[0] if self.address_fields else None
        return [
            (_("Address") if field.name == local_part else field.label, field)
            for field in self.visible_fields()
            if field.errors
        ]

    def add_service_error(self, error: ValidationError) -> None:
        """Show an error beside its field if the form has it, otherwise above the form."""
        for name, messages in get_errors_by_field(error).items():
            self.add_error(name if name in self.fields else None, messages)


class ConflictCheckedForm(ValidatedTextForm):
    """A form that does not overwrite what others changed since it was shown."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    conflict: list[tuple[str, Any]] | None = (
        None  # (label, stored value), if others changed the row
    )
    shows_conflicts = True  # otherwise they are raised
    watched_row: models.Model | None = None
    seen_version: SeenVersion | None = None  # what a program saw, if not what the form shows

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Remove fields that only help people who type."""

    def watch_row(self, row: models.Model | None) -> None:
        """Compare with this row before saving; None if the form creates one."""
        self.watched_row = row
        if row is None:
            del self.fields["seen"]
        else:
            self.initial["seen"] = digest_values(self.get_shown_values(row))

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        """Return the values of a row that this form shows and changes."""
        raise NotImplementedError

    def get_display_values(self, row: Any) -> dict[str, Any]:
        """Return the same values as users read them."""
        return self.get_shown_values(row)

    def get_service_values(self) -> dict[str, Any]:
        """Return the values that the service takes."""
        values = self.cleaned_data.items()
        return {name: value for name, value in values if name not in FORM_FIELDS}

    def run_service(
        self, service: "Service", *arguments: Any, after: AfterPerform | None = None
    ) -> Any:
        """Run the service; return None if it refused, with the reasons in the form's errors."""
        try:
            return perform(
                self.actor, service, *arguments, seen=self.get_seen_version(), after=after
            )
        except ValidationError as error:
            self.add_service_error(error)
        except EditConflict as conflict:
            if not self.shows_conflicts:
                raise
            self._show_conflict(conflict.row)
        return None

    def validate_columns(self, model: type[models.Model], cleaned: dict[str, Any]) -> None:
        """Refuse values that the columns of this database cannot hold."""
        for name, value in list(cleaned.items()):
            if isinstance(value, (str, int, Decimal)) and not isinstance(value, bool):
                try:
                    validate_column(get_column_field(model, name), value)
                except FieldDoesNotExist:
                    continue
                except ValidationError as error:
                    self.add_error(name, error)

    def get_seen_version(self) -> SeenVersion | None:
        """Return the version of the edited row that the user or program saw."""
        if self.seen_version or self.watched_row is None:
            return self.seen_version
        digest = self.cleaned_data["seen"]
        return SeenVersion(
            type(self.watched_row), self.watched_row.pk, digest, self.get_shown_values
        )

    def _show_conflict(self, row: models.Model) -> None:
        """Keep the typed values in the fields, and show the stored ones beside them."""
        current = self.get_display_values(row)
        self.conflict = [
            (
                capfirst(str(self.fields[name].label or "")),
                format_field_value(self.fields[name], current[name]),
            )
            for name in current
            if name in self.fields
        ]
        data: Any = self.data
        self.data = data = data.copy()
        data[self.add_prefix("seen")] = digest_values(self.get_shown_values(row))
        self.add_error(
            None,
            _(
                "Someone else changed this in the meantime. Nothing was saved. Compare"
                " both versions; if you save again, you overwrite theirs."
            ),
        )


def format_field_value(field: forms.Field, value: Any) -> Any:
    """Return a stored value as the form would show it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return "\n".join(map(unicode_address, value)) or "–"
    return dict(getattr(field, "choices", ())).get(value, value)


def get_errors_by_field(error: ValidationError) -> dict[str, Any]:
    return error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error}


class TableForm(ConflictCheckedForm, forms.ModelForm):
    """A form on one row of a table. Pages fill it from a request, programs by `from_values`."""

    create_only_fields: Sequence[str] = ()  # left out when a row is edited
    edit_only_fields: Sequence[str] = ()  # left out when a row is created
    kept_fields: Sequence[str] = ()  # typed once for several new rows, besides the domain
    preset_fields: Sequence[str] = ()  # a link to a new row may fill them in, besides the kept ones
    api_defaults: Mapping[str, Any] = {}  # values for fields that a program does not name
    unknown_fields: Sequence[str] = ()  # names that a program gave and the form does not have

    def __init__(self, *args: Any, actor: Actor | None = None, **kwargs: Any) -> None:
        if actor is not None:
            self.actor = actor
        super().__init__(*args, **kwargs)
        prepare_custom_columns(self)
        self.watch_row(self.instance if self.is_edit else None)

    def get_unused_fields(self) -> Sequence[str]:
        unused = self.create_only_fields if self.is_edit else self.edit_only_fields
        return [*unused, *find_closed_columns(self)]

    def get_sections(self) -> Sequence[Section]:
        names = [column.name for column in get_custom_fields(self._meta.model)]
        return [
            *super().get_sections(),
            *([Section(_("More information"), names)] if names else []),
        ]

    def adapt_for_api(self, values: Mapping[str, Any]) -> None:
        """Require no value that a row lacks, unless it is given."""
        super().adapt_for_api(values)
        if self.is_edit:
            release_required_columns(self, values)

    @classmethod
    def from_values(
        cls,
        values: Mapping[str, Any],
        actor: Actor,
        instance: models.Model | None = None,
        current: Mapping[str, Any] | None = None,
        seen: SeenVersion | None = None,
    ) -> "TableForm":
        """Return the form as a program fills it: fields that are not named keep their values.

        `current` are the values that the program has been shown. It may send them back unchanged,
        including those that cannot be edited. `seen` is the version that it wants to change.
        """
        initial = None if instance else dict(values)
        form = cls(initial=initial, instance=instance, actor=actor)
        form.adapt_for_api(values)
        form.shows_conflicts, form.seen_version = False, seen
        values = drop_unchanged(form, values, current or {})
        known = (*program_fields(cls, "edit" if instance else "create"), PASSWORD_HASH_FIELD)
        form.unknown_fields = [n for n in values if n not in form.fields or n not in known]
        form.data, form.is_bound = merged_data(form, values), True
        return form

    def is_valid(self) -> bool:
        return super().is_valid() and not self.unknown_fields

    @classmethod
    def identity_fields(cls, key: str) -> dict[str, Any]:
        """Return field → value of the fields that make up the key of a new row."""
        model = cls._meta.model
        return {} if has_generated_key(model) else {model._meta.pk.name: key}

    def get_new_key(self) -> Any:
        """Return the key that the new row will have; None if the database gives it."""
        key = self.cleaned_data.get(self._meta.model._meta.pk.name)
        return getattr(key, "pk", key)

    @property
    def is_edit(self) -> bool:
        return not self.instance._state.adding

    def get_shown_values(self, row: Any) -> dict[str, Any]:
        own = self._meta.fields or ()
        names = [f.name for f in row._meta.concrete_fields if f.name in own]
        return {name: row._meta.get_field(name).value_from_object(row) for name in names}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.validate_columns(self._meta.model, cleaned)
        return cleaned

    def validate_unique(self) -> None:
        """Leave it to the service, which checks under its lock whether a key is free."""

    def service_call(self, services: "Services") -> tuple[Any, ...]:
        """Return the service that saves this form, with its arguments."""
        if self.is_edit:
            return services.edit, self.instance.pk, self.get_service_values()
        return services.create, [self.get_service_values()]

    def save(  # type: ignore[override]  # by a service, never by itself
        self, services: "Services", after: AfterPerform | None = None
    ) -> Any:
        """Save by the service; return the row, or None where it was refused."""
        saved = self.run_service(*self.service_call(services), after=after)
        return saved[0] if isinstance(saved, list) else saved


def program_fields(form_class: type[TableForm], screen: str) -> dict[str, forms.Field]:
    """Return the fields of a form that programs may give, by name and in its order."""
    left_out = form_class.edit_only_fields if screen == "create" else form_class.create_only_fields
    fields = form_class.base_fields
    order = [*(name for name in form_class.field_order or () if name in fields), *fields]
    return {
        name: fields[name]
        for name in dict.fromkeys(order)
        if name not in (*left_out, "seen", "password2")
    }
