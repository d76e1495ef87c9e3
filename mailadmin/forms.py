"""What all forms share: the record form that names its services, and the door's two forms."""

import unicodedata

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from mailadmin import passwords
from mailadmin.changes.perform import Conflict, Seen, digest, perform
from mailadmin.db.fields import validate_column
from mailadmin.models import Role
from mailadmin.names import (
    domain_in_unicode,
    normalize_address,
    normalize_domain,
    validate_address,
    validate_domain,
    validate_line,
    validate_text,
)


def refuse_control_characters(text):
    """A database may take names for equal that differ in characters which nobody sees."""
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise ValidationError(_("Control characters are not allowed."))


class LoginForm(forms.Form):
    username = forms.CharField(
        label=_("Address"),
        max_length=255,
        validators=[refuse_control_characters],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def refuse(self):
        self.add_error(None, _("This address and password do not fit together."))


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code"),
        max_length=12,
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "one-time-code", "inputmode": "numeric"}
        ),
    )

    def clean_code(self):
        return self.cleaned_data["code"].replace(" ", "")

    def refuse(self):
        self.add_error("code", _("This code is not right, or it was used before."))


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


SHORTEST_CRYPT = 26  # `$1$`, a salt and what MD5 gives


class HashInput(forms.CharField):
    """A password as it is stored, in any scheme that lets somebody in."""

    def __init__(self):
        super().__init__(
            label=_("Password, hashed"), required=False, max_length=255, validators=[validate_hash]
        )


def validate_hash(stored):
    """Only what says itself what it is: anything else could be a password in plain words."""
    body = stored.rpartition("}")[2]
    is_whole = stored.isascii() and not (body.startswith("$") and len(body) < SHORTEST_CRYPT)
    if not (stored.startswith(("{", "$")) and is_whole and passwords.is_readable(stored)):
        raise ValidationError(_("This is no password hash: {SCHEME}… or $…$… of a known scheme."))


class NewPasswordMixin(forms.Form):
    """A password typed twice. Empty on an edit keeps the old one."""

    password = forms.CharField(
        label=_("Password"),
        help_text=_("Empty keeps the present password."),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "data-password": "new"}),
    )
    password2 = forms.CharField(
        label=_("Password again"),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "new-password", "data-password": "again"}
        ),
    )

    def require_password(self):
        """Ask for a new one, and say what it must be like."""
        self.fields["password"].required = self.fields["password2"].required = True
        self.fields["password"].help_text = " ".join(str(rule) for rule in passwords.rules())

    def with_hash(self, values, username):
        """What the service is given: of the typed passwords, if any, the hash."""
        kept = {
            k: v for k, v in values.items() if k not in ("password", "password2", "password_hash")
        }
        return kept | self.hashed(username)

    def hashed(self, username):
        """The new password as it is stored, or nothing to keep the old one."""
        if stored := self.cleaned_data.get("password_hash"):
            return {"password": stored}
        if not (typed := self.cleaned_data.get("password")):
            return {}
        return {"password": passwords.make(typed, username)}

    def for_programs(self):
        """Programs do not mistype; those of superadmins may know a password by its hash alone."""
        super().for_programs()
        del self.fields["password2"]
        if self.actor.principal.role is Role.SUPERADMIN:
            self.fields["password_hash"] = HashInput()
            self.fields["password"].required &= not self.data.get("password_hash")

    def clean(self):
        cleaned = super().clean()
        if not {"password", "password2"} & set(self.errors):
            first = cleaned.get("password", "")
            self._check_passwords(first, cleaned.get("password2", first))
        return cleaned

    def _check_passwords(self, first, second):
        """Both the same, and within the rules."""
        if first != second:
            self.add_error("password2", _("The two passwords differ."))
        elif first and self.cleaned_data.get("password_hash"):
            self.add_error("password", _("Either a password or its hash, not both."))
        elif first:
            try:
                passwords.validate(first)
            except ValidationError as error:
                self.add_error("password", error)


class WholeInput(forms.CharField):
    """A name that a browser must not cut: the rest would be another name."""

    def widget_attrs(self, widget):
        attrs = super().widget_attrs(widget)
        attrs.pop("maxlength", None)
        return attrs


class DomainInput(WholeInput):
    """A domain as people write it."""

    def __init__(self, **options):
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_domain])
        super().__init__(**options)

    def to_python(self, value):
        value = super().to_python(value)
        return normalize_domain(value) if value else value

    def prepare_value(self, value):
        return domain_in_unicode(value) if isinstance(value, str) else value


class AddressInput(WholeInput):
    """An address as people write it."""

    def __init__(self, **options):
        options.setdefault("max_length", 255)
        options.setdefault("validators", [validate_address])
        super().__init__(**options)

    def to_python(self, value):
        value = super().to_python(value)
        return normalize_address(value) if value else value


class Picker(forms.TextInput):
    """A text field with choices that begin with what is typed; without JavaScript a text field."""

    template_name = "crud/picker.html"

    def __init__(self, url_name):
        super().__init__(attrs={"autocomplete": "off", "spellcheck": "false"})
        self.url_name = url_name

    def get_context(self, name, value, attrs):
        context = super().get_context(name, value, attrs)
        widget = context["widget"]
        widget["attrs"]["list"] = f"{widget['attrs'].get('id', name)}-choices"
        return context | {"pick_url": reverse(self.url_name)}


class KnownChoices:
    """Rows that forms of one request have asked for: a thousand forms ask once."""

    def __init__(self):
        self.names, self.rows = {}, {}

    def first(self, rows, count):
        if count not in self.names:
            self.names[count] = list(rows.order_by("pk").values_list("pk", flat=True)[:count])
        return self.names[count]

    def find(self, rows, name):
        """The row of this name; one that is not there may be by the next time."""
        if name not in self.rows and (row := rows.filter(pk=name).first()):
            self.rows[name] = row
        return self.rows.get(name)


def known_choices(principal, model):
    """What forms for this principal have asked for; programs send many rows in one request."""
    if principal.choices is None:
        return KnownChoices()
    return principal.choices.setdefault(model, KnownChoices())


class RowInput(DomainInput):
    """One of the rows that the person may see, by name; a list to choose from if few."""

    few = 50

    def __init__(self, *, model, url_name, **options):
        self.model, self.url_name = model, url_name
        super().__init__(widget=Picker(url_name), **options)

    def offer_to(self, principal):
        """Limit the field to this person's rows."""
        self.rows = self.model._default_manager.visible_to(principal)
        self.known = known_choices(principal, self.model)
        names = self.known.first(self.rows, self.few + 1)
        if len(names) <= self.few:
            choices = [(name, domain_in_unicode(name)) for name in names]
            empty = [("", _("Choose …"))] if len(names) != 1 else []
            self.widget = forms.Select(choices=empty + choices)
            self.widget.is_required = self.required

    def clean(self, value):
        name = super().clean(value)
        row = self.known.find(self.rows, name) if name else None
        if name and row is None:
            raise ValidationError(_("You have no domain %(name)s.") % {"name": name})
        return row

    def prepare_value(self, value):
        value = getattr(value, "pk", value)
        return value if isinstance(self.widget, forms.Select) else super().prepare_value(value)


class TargetsField(forms.CharField):
    """Addresses, one a line (commas will do)."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocapitalize": "off"})

    def to_python(self, value):
        text = super().to_python(value).replace(",", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value):
        return "\n".join(value) if isinstance(value, (list, tuple)) else value

    def run_validators(self, value):
        for line in value:
            super().run_validators(line)

    def has_changed(self, initial, data):
        return self.to_python(data or "") != (initial or [])
