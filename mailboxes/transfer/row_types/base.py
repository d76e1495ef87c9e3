"""What every kind of row shares: how its values are read, compared and handed to the services."""

import datetime
from collections.abc import Mapping

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from domains.services.locks import lock_domains
from domains.tables import DATE_COLUMNS
from mailadmin import passwords
from mailadmin.accounts.models import Role
from mailadmin.changes.perform import digest_values
from mailadmin.changes.records import serialize_value
from mailadmin.db.fields import DomainField, find_column_error, is_known_date, split_goto
from mailadmin.names import (
    fold,
    normalize_address,
    normalize_domain,
    validate_domain,
    validate_single_line,
    validate_text,
)
from mailadmin.tables.forms import program_fields
from mailadmin.tables.table import Table

# Columns


MAX_LISTED_ERRORS = 10  # of a row that are named


class LineField(forms.CharField):
    """One line of text."""

    default_validators = [validate_single_line]

    def __init__(self, **options):
        super().__init__(**{"required": False, "max_length": 255} | options)


class ClearableLineField(LineField):
    """What somebody wrote for others to read: an empty one takes it away."""


class MultilineField(LineField):
    """Text of several lines."""

    default_validators = [validate_text]

    def __init__(self):
        super().__init__(max_length=2**16 - 1, strip=False)


class SecretField(LineField):
    """What is compared and stored, and never shown."""


class SecretMultilineField(MultilineField, SecretField):
    pass


class BoundedIntegerField(forms.IntegerField):
    def __init__(self, least=-1, most=2**31 - 1):
        super().__init__(min_value=least, max_value=most)


BOOLEAN_VALUES = {
    **dict.fromkeys(("1", "yes", "true", "on", "t", "y"), True),
    **dict.fromkeys(("0", "no", "false", "off", "f", "n"), False),
}


class YesNoField(forms.Field):
    """Yes or no, in any of the spellings that programs write."""

    def to_python(self, value):
        if isinstance(value, bool):
            return value
        try:
            return BOOLEAN_VALUES[str(value).strip().lower()]
        except KeyError as error:
            raise ValidationError(
                _("“%(value)s” is neither 1 nor 0."), params={"value": value}
            ) from error


class DomainNameField(forms.CharField):
    default_validators = [validate_domain]

    def to_python(self, value):
        return normalize_domain(super().to_python(value))


class AddressKeyField(forms.CharField):
    """An address, or what stands in its place: `@example.org`, a superadmin called `admin`."""

    default_validators = [validate_single_line]

    def __init__(self):
        super().__init__(max_length=255)

    def to_python(self, value):
        return normalize_address(super().to_python(value))


class NameListField(forms.Field):
    """Several names: a list, or a text with commas or line ends between them."""

    def to_python(self, value):
        if isinstance(value, str):
            value = split_goto(value.replace("\n", ",").replace("\r", ","))
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ValidationError(_("This has to be a list of names."))
        return [name.strip() for name in value]

    def validate(self, value):
        """None at all is for the kind to judge."""


class PostfixAdminDateTimeField(forms.Field):
    """A date and time as PostfixAdmin writes them; its ways to say unknown are no value."""

    def __init__(self):
        super().__init__(required=False)

    def to_python(self, value):
        text = str(value).strip()
        if text.startswith("0000-00-00"):
            return None
        try:
            moment = parse_datetime(text) or parse_datetime(f"{text} 00:00:00")
            return serialize_datetime(
                moment if timezone.is_aware(moment) else timezone.make_aware(moment)
            )
        except (ValueError, OverflowError, AttributeError) as error:
            text_ = _("“%(value)s” is no date and time.")
            raise ValidationError(text_, params={"value": text}) from error


def serialize_datetime(moment):
    """A moment as a plan keeps it; nothing for one that is not known."""
    return serialize_value(moment) if is_known_date(moment) else None


def deserialize_datetime(text):
    return timezone.make_aware(datetime.datetime.fromisoformat(text))


UNKNOWN_DATE = "2000-01-01 00:00:00"  # as PostfixAdmin writes it where no date can be missing


def deserialize_datetimes(values, *names):
    """The values with these texts as moments, as services take them."""
    given = {
        name: deserialize_datetime(values[name] or UNKNOWN_DATE) for name in names if name in values
    }
    return values | given


def omit_keys(values, *names):
    return {name: value for name, value in values.items() if name not in names}


# Columns of tables


def table_columns(table: type[Table]) -> dict[str, forms.Field]:
    """Return the columns of a table's files, each with the field that reads its values."""
    fields = {field.name: field for field in table.model._meta.concrete_fields}
    names = [name for name in table.export_roles if name in fields and name not in DATE_COLUMNS]
    return {name: column_field(fields[name]) for name in names}


def column_field(field: models.Field) -> forms.Field:
    match field:
        case models.BooleanField():
            return YesNoField()
        case models.DateTimeField():
            return PostfixAdminDateTimeField()
        case models.IntegerField():
            return BoundedIntegerField()
        case DomainField() | models.ForeignKey():
            return DomainNameField()
        case _ if field.primary_key:
            return AddressKeyField()
    return ClearableLineField(max_length=field.max_length)


# Kinds


class RowType:
    """One kind of row: the columns that a source may give, and the services that write it.

    Of a table of the panel only `panel_table` has to be named, and what files have besides: title,
    columns and their types follow from it.
    """

    panel_table: type[Table] | None = None
    name = ""  # as entries call it
    extra_columns: Mapping[str, forms.Field] = {}  # besides those of the table, or in their place
    aliases = {}  # other names that a file may give a column by
    needed = ()  # columns without which there is no new row
    import_only_columns = ()  # columns that come in and never go out: they follow from others
    limit_name = ""  # the limit of a domain against which its rows count
    has_quota = False
    example = {}  # a row as people would type it; none: nobody types these

    @property
    def model(self):
        return self.panel_table.model

    @property
    def table(self):
        """What files and pages call all rows of this kind."""
        return self.panel_table.slug

    @property
    def title(self):
        return self.model._meta.verbose_name_plural

    @cached_property
    def columns(self) -> dict[str, forms.Field]:
        """Return column → how its values are read."""
        derived = table_columns(self.panel_table) if self.panel_table else {}
        extra = dict(self.extra_columns)
        key = {
            name: field for name, field in derived.items() if name == self.required_key_columns[0]
        }
        added = {name: field for name, field in extra.items() if name not in derived}
        return key | added | derived | extra

    @cached_property
    def domain_admin_columns(self) -> tuple[str, ...]:
        """Return the columns that the file of a domain admin may hold: those of the form."""
        table = self.panel_table
        if table is None or Role.ADMIN not in table.roles.get("import", Role(0)):
            return ()
        asked = (self.required_key_columns[0], *program_fields(table.form_class, "create"))
        return tuple(name for name in self.columns if name in asked)

    @property
    def has_example(self):
        return bool(self.example)

    # From a source

    def clean(self, values):
        """The values as the services know them; all that is wrong with them at once."""
        found, errors = {}, {}
        for name, value in values.items():
            name = self.aliases.get(name, name)
            try:
                if self.has_value(name, value):
                    found[name] = self.read(name, value)
            except ValidationError as error:
                errors[name] = error.messages
        if errors:
            raise ValidationError(format_column_errors(errors))
        return self.complete(found)

    def has_value(self, name, value):
        if name not in self.columns:
            raise ValidationError(_("There is no such column."))
        return value is not None and (
            value != "" or isinstance(self.columns[name], ClearableLineField)
        )

    def read(self, name, value):
        if isinstance(value, (list, dict)) and not isinstance(self.columns[name], NameListField):
            raise ValidationError(_("This has to be one value."))
        value = self.columns[name].clean(value)
        column = self.get_model_field(name)
        trouble = column and isinstance(value, str) and find_column_error(column, value)
        if trouble:
            raise ValidationError(trouble)
        return value

    def get_model_field(self, name):
        """The column of the table that takes this value as it is, if one does."""
        return self.model_fields.get(name)

    @cached_property
    def model_fields(self):
        return {f.name: f for f in self.model._meta.concrete_fields}

    def complete(self, values):
        """Derive what follows from the values, and refuse what does not go together."""
        return values

    def clean_password(self, values):
        """A typed password and a hash are told apart: the first still has to become the second."""
        if "password" in values:
            self.validate_password(values["password"])
            values["typed"] = values.pop("password")
        if "password_hash" in values:
            values["password"] = values.pop("password_hash")
        if len({"typed", "password"} & set(values)) == 2:
            raise ValidationError(_("Either a password or its hash, not both."))
        return values

    def validate_password(self, password):
        if passwords.is_hash_like(password):
            text = _("password: This is a hash. Hashes belong in the column password_hash.")
            raise ValidationError(text)
        try:
            passwords.validate_password(password)
        except ValidationError as error:
            raise ValidationError(format_column_errors({"password": error.messages})) from error

    def check_required_columns(self, values, names):
        """A new row needs all of its columns; one that is there, those that name it."""
        if missing := [name for name in names if values.get(name) in (None, "")]:
            text = _("These columns are missing: %(names)s.")
            raise ValidationError(text, params={"names": ", ".join(missing)})

    def check_key_columns(self, values):
        self.check_required_columns(values, self.required_key_columns)

    @property
    def required_key_columns(self):
        return (self.model._meta.pk.name,)

    def is_created_implicitly(self, values):
        """Whether such a new row comes with another by itself."""
        return False

    def key(self, values):
        return values[self.model._meta.pk.name]

    def values_from_key(self, key):
        """The columns by which a row of this key calls itself."""
        return {self.required_key_columns[0]: key}

    def folded_key(self, values):
        return fold(self.key(values))

    def domain(self, values):
        """The domain in which the row is, or None where it is in none."""
        return values.get("domain")

    def to_file_values(self, values):
        """The values as files hold them, by which the same row comes back."""
        if "password" in values and "password_hash" in self.columns:
            values = omit_keys(values, "password") | {"password_hash": values["password"]}
        return values | {
            name: UNKNOWN_DATE for name in values if self.is_unknown_date(name, values[name])
        }

    def is_unknown_date(self, name, value):
        return value is None and isinstance(self.columns.get(name), PostfixAdminDateTimeField)

    @property
    def export_columns(self):
        """The columns of a file that goes out."""
        return [name for name in self.columns if name not in self.import_only_columns]

    def referenced_domains(self, values):
        """The domains that have to be there for such a row."""
        return [name for name in [self.domain(values)] if name]

    # What is there

    def present(self, keys):
        """Folded key → the row as it is."""
        found = self.model._default_manager.filter(pk__in=keys)
        return {fold(row.pk): row for row in self.prefetch_rows(found)}

    def prefetch_rows(self, rows):
        """The rows with what their words need of other tables, asked for all of them at once."""
        return rows

    def words(self, row):
        """A row's values as a plan would have them."""
        found = {
            name: self.value_from_row(row, name)
            for name in self.columns
            if self.get_model_field(name)
        }
        key = self.model._meta.pk.name
        return found | ({key: fold(found[key])} if key in found else {})

    def value_from_row(self, row, name):
        value = row._meta.get_field(name).value_from_object(row)
        if isinstance(value, datetime.datetime):
            return serialize_datetime(value)
        return value

    def digest(self, row):
        return digest_values(self.words(row))

    def previous_values(self, row, values):
        """What the row has in place of these values: enough to have it as it was."""
        words = self.words(row)
        return {name: words[name] for name in values}

    def differences(self, row, values):
        """[column, old, new] of what the values would change; of secrets only that they do."""
        words = self.words(row)
        return [
            [name, *(("", "") if self.is_secret(name) else (words[name], value))]
            for name, value in values.items()
            if name in words and words[name] != value
        ]

    def is_secret(self, name):
        return isinstance(self.columns.get(name), SecretField)

    # Writing

    def lock(self, changes, rows):
        """Take the locks that the services will take, so that nothing moves in between."""
        lock_domains(changes, {name for values in rows if (name := self.domain(values))})

    def create(self, changes, rows):
        raise NotImplementedError

    def edit(self, changes, key, values):
        raise NotImplementedError

    def delete(self, changes, keys):
        raise NotImplementedError

    def keys_with_dependents(self, keys):
        """Those of these rows on which others hang that would go with them."""
        return set()


def format_column_errors(errors):
    """Every error with its column, as far as somebody would read."""
    texts = [f"{str(name)[:64]}: {' '.join(texts)}" for name, texts in errors.items()]
    more = len(texts) - MAX_LISTED_ERRORS
    return texts if more <= 0 else [*texts[:MAX_LISTED_ERRORS], _("and %(n)s more") % {"n": more}]
