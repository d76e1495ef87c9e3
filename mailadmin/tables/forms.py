"""Forms of rows: shown values are compared again before they are saved."""

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from mailadmin.changes.perform import Conflict, Seen, digest, perform
from mailadmin.db.fields import validate_column
from mailadmin.names import validate_line, validate_text
from mailadmin.tables.form_fields import RowInput


class PlainForm(forms.Form):
    """A form whose texts are free of control characters."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, forms.CharField):
                lines = isinstance(field.widget, forms.Textarea)
                field.validators = [*field.validators, validate_text if lines else validate_line]
            if isinstance(field, RowInput):
                field.offer_to(self.actor.principal)


class WatchedForm(PlainForm):
    """A form that remembers what it showed of a row: what changed meanwhile is not overwritten."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    conflict = None
    watched = None
    expected = None  # what a program saw of the row, where it is not what the form shows

    def watch(self, row):
        """The row that is edited; None where the form makes a new one."""
        self.watched = row
        if row is None:
            del self.fields["seen"]
        else:
            self.initial["seen"] = digest(self.snapshot(row))

    def snapshot(self, row):
        """The values of a row that this form shows and changes."""
        raise NotImplementedError

    def shown(self, row):
        """The same, as people read it."""
        return self.snapshot(row)

    def values(self):
        """What the service is given."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}

    def attempt(self, service, *arguments, run=perform):
        """Run the service; None where it refused, with the reasons among the form's errors."""
        try:
            return run(self.actor, service, *arguments, seen=self.watching())
        except ValidationError as error:
            self.refuse(error)
        except Conflict as conflict:
            self._show_conflict(conflict.row)
        return None

    def refuse(self, error):
        """Show an error beside the field where the form has it, above the form otherwise."""
        for name, messages in as_fields(error).items():
            self.add_error(name if name in self.fields else None, messages)

    def check_columns(self, model, cleaned):
        """What this database's columns cannot hold is said beside the field."""
        for name, value in list(cleaned.items()):
            if isinstance(value, (str, int)) and not isinstance(value, bool):
                try:
                    validate_column(model._meta.get_field(name), value)
                except FieldDoesNotExist:
                    continue
                except ValidationError as error:
                    self.add_error(name, error)

    def watching(self):
        """What was seen of the row that is edited, so that no other change is overwritten."""
        if self.expected or self.watched is None:
            return self.expected
        given = self.cleaned_data["seen"]
        return Seen(type(self.watched), self.watched.pk, given, self.snapshot)

    def _show_conflict(self, row):
        """Both versions: what was typed stays in the fields, what is stored now stands beside."""
        now = self.shown(row)
        self.conflict = [
            (capfirst(self.fields[name].label), in_words(self.fields[name], now[name]))
            for name in now
            if name in self.fields
        ]
        self.data = self.data.copy()
        self.data[self.add_prefix("seen")] = digest(self.snapshot(row))
        self.add_error(
            None,
            _(
                "Somebody else changed this in the meantime. Nothing was saved. "
                "Look at both versions; saving again overwrites the other one."
            ),
        )


def in_words(field, value):
    """A stored value as the form would show it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(value) or "–"
    return dict(getattr(field, "choices", ())).get(value, value)


def as_fields(error):
    return error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error}


class RecordForm(WatchedForm, forms.ModelForm):
    """A form on one row. It asks and words; the service it names does the work."""

    create_service = None
    edit_service = None
    only_new = ()  # fields of which a row that is there has no use
    only_edit = ()
    unasked = {}  # what programs get that say nothing of a field, where it is not what a page shows

    def __init__(self, *args, actor=None, **kwargs):
        self.actor = actor
        super().__init__(*args, **kwargs)
        for name in self.only_new if self.is_edit else self.only_edit:
            del self.fields[name]
        self.watch(self.instance if self.is_edit else None)

    @classmethod
    def named(cls, key):
        """What a new row of this key is called, field by field."""
        return {cls._meta.model._meta.pk.name: key}

    def new_key(self):
        """The key that a new row will have."""
        key = self.cleaned_data[self._meta.model._meta.pk.name]
        return getattr(key, "pk", key)

    def for_programs(self):
        """Leave out what only helps somebody who types."""

    @property
    def is_edit(self):
        return not self.instance._state.adding

    def snapshot(self, row):
        names = [f.name for f in row._meta.concrete_fields if f.name in self._meta.fields]
        return {name: row._meta.get_field(name).value_from_object(row) for name in names}

    def clean(self):
        cleaned = super().clean()
        self.check_columns(self._meta.model, cleaned)
        return cleaned

    def validate_unique(self):
        """Whether a key is free is asked by the service, under its lock."""

    def step(self):
        """The service that does it, with its arguments."""
        if self.is_edit:
            return type(self).edit_service, self.instance.pk, self.values()
        return type(self).create_service, [self.values()]

    def save(self, run=perform):
        saved = self.attempt(*self.step(), run=run)
        return saved[0] if isinstance(saved, list) else saved
